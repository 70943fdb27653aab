"""What the stack itself takes is written as it was measured, and its results are found by kind."""

import json
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from glasshouse_bench import measured, stack_page
from glasshouse_bench.overhead import page as overhead_page
from glasshouse_bench.overhead import results
from glasshouse_bench.stack import command, disk, page
from glasshouse_cli.errors import StackError
from support import freshness
from support.deployed import ROOT

MIB = 1024**2
PAGE = (
    "# Page\n<!-- begin freshness -->\nold\n<!-- end freshness -->\n"
    "Between.\n<!-- begin stack -->\nold\n<!-- end stack -->\nAfter.\n"
)


def start(seconds: float, *, first: bool = False) -> dict[str, Any]:
    return {
        "first": first,
        "seconds": seconds,
        "seconds_to_ready": seconds - 3,
        "seconds_of_doctor": 2.0,
        "parts": {
            "loki": {"started_s": 1.0, "ready_s": 2.5},
            "worker": {"started_s": 4.0, "ready_s": None},
        },
    }


def container(service: str, *, telemetry: bool) -> dict[str, Any]:
    return {
        "service": service,
        "telemetry": telemetry,
        "cpu_percent": 0.5,
        "memory_bytes": 64 * MIB,
    }


def document(**changes: Any) -> dict[str, Any]:
    parts = {
        "start": [start(60.0, first=True), start(11.0), start(14.0), start(12.0)],
        "idle": {
            "seconds": 120.0,
            "containers": [container("api", telemetry=False), container("loki", telemetry=True)],
            "telemetry": container("telemetry", telemetry=True),
            "promised": {"cpu_percent": 5.0, "memory_bytes": 700 * MIB},
            "within": True,
        },
        "disk": {
            "logs": 500_000,
            "spans": 100_000,
            "samples": 1_000_000,
            "seconds": 100.0,
            "grown_bytes": {
                "loki": {"chunks": 50 * MIB, "wal": 0},
                "tempo": {"blocks": 20 * MIB},
                "prometheus": {"wal": 5 * MIB},
            },
        },
    }
    return freshness.document(kind="stack", settings={}) | parts | changes


def test_the_section_has_the_figures() -> None:
    made = page.parts(document())["stack"]
    assert (
        "`make up` of a stopped stack takes 12.0 s (11.0 to 14.0), goal 15 s: met. Of these until "
        "all is ready 9.0 s, the doctor 2.0 s. The first one, with empty volumes: 60.0 s.\n"
    ) in made
    assert "| worker | 4.0 | - |\n" in made
    assert "| loki | 1.0 | 2.5 |\n" in made
    assert "**Idle**, over 120 s: within the 5 % of a core and 700 MiB" in made
    # What receives telemetry comes first.
    assert made.index("| loki | 0.50 | 64 |") < made.index("| api | 0.50 | 64 |")
    assert "| loki | 500,000 log records | 100 | chunks 100 |\n" in made
    assert "| tempo | 100,000 spans | 200 | blocks 200 |\n" in made


def test_a_slow_start_and_a_hungry_stack_are_said() -> None:
    changed = document(start=[start(16.0)])
    changed["idle"]["within"] = False
    made = page.parts(changed)["stack"]
    assert "takes 16.0 s (16.0 to 16.0), goal 15 s: **missed**." in made
    assert "**over** the 5 % of a core" in made


def test_a_part_that_was_not_measured_is_left_out() -> None:
    made = page.parts(document(idle=None, disk=None))["stack"]
    assert "**Start**" in made
    assert "**Idle**" not in made
    assert "**Disk**" not in made


def test_the_newest_result_of_each_kind_is_written(tmp_path: Path) -> None:
    folder = tmp_path / results.FOLDER
    folder.mkdir(parents=True)

    def put(name: str, content: dict[str, Any]) -> None:
        (folder / name).write_text(json.dumps(content), encoding="utf-8")

    put("2026-01-02-freshness.json", freshness.document())
    with pytest.raises(StackError, match="has no result of this kind: run make bench-stack first"):
        stack_page.rendered(tmp_path, PAGE)
    put("2026-01-03-stack.json", document(measured="2026-01-03T00:00:00Z"))
    put("2026-01-01-stack.json", document(measured="2026-01-01T00:00:00Z"))
    made = stack_page.rendered(tmp_path, PAGE)
    assert made.startswith("# Page\n<!-- begin freshness -->\n6 of 8 goals are met.")
    assert "- When: 2026-01-03T00:00:00Z, commit 0123456789ab.\n" in made
    assert "2026-01-01" not in made
    assert "\nold\n" not in made
    assert made.endswith("<!-- end stack -->\nAfter.\n")
    # They are none of `make bench`'s, which has none here.
    with pytest.raises(StackError, match="has no result: run make bench first"):
        results.latest(tmp_path)


@pytest.mark.parametrize("kind", stack_page.PARTS)
def test_the_page_is_made_from_the_last_result(kind: str) -> None:
    text = (ROOT / overhead_page.PAGE).read_text(encoding="utf-8")
    if list((ROOT / results.FOLDER).glob(f"*-{kind}.json")):
        made = stack_page.PARTS[kind](measured.read(measured.latest(ROOT, kind), kind))
    else:
        made = {kind: ""}
    assert overhead_page.filled(text, made) == text, "run: make performance"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{", "is no JSON"),
        ("[]", "is no result of make bench-stack"),
        (json.dumps(freshness.document()), "is no result of make bench-stack"),
    ],
    ids=["no JSON", "no object", "another kind"],
)
def test_what_is_no_result_is_one_line(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "one.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(StackError, match=fault):
        measured.read(path, "stack")


def test_parts_are_chosen_by_name() -> None:
    assert command.parse_parts("disk, start") == [command.Part.DISK, command.Part.START]
    with pytest.raises(StackError, match=r"^--parts disc: choose of start, idle, disk$"):
        command.parse_parts("disc")


def test_spans_are_sent_in_traces() -> None:
    sent: list[tuple[str, int]] = []
    traces: dict[bytes, list[bytes]] = {}
    for signal, count, body in disk.requests(disk.Amount(logs=1500, spans=12)):
        sent.append((signal, count))
        if signal == "traces":
            request = ExportTraceServiceRequest.FromString(body)
            for span in request.resource_spans[0].scope_spans[0].spans:
                traces.setdefault(span.trace_id, []).append(span.parent_span_id)
    assert sent == [("logs", 1000), ("logs", 1500), ("traces", 12)]
    assert sorted(len(one) for one in traces.values()) == [2, 5, 5]
    # One root each, of which the others are children.
    assert [one.count(b"") for one in traces.values()] == [1, 1, 1]


def test_sizes_are_read_by_backend_and_folder() -> None:
    text = (
        "7\t/v/loki/wal\n70\t/v/loki/chunks\n80\t/v/loki\n5\t/v/tempo/blocks\n9\t/v/tempo\n99\t/v\n"
    )
    assert disk.sizes(text) == {
        "loki": {"wal": 7, "chunks": 70},
        "tempo": {"blocks": 5},
        "prometheus": {},
    }


@pytest.mark.parametrize(
    ("logs", "spans", "expected"), [(1500, 12, True), (1499, 12, False), (1500, 0, False)]
)
def test_all_is_stored_when_each_backend_has_counted_it(
    logs: int, spans: int, expected: bool
) -> None:
    counted = {
        "sum(loki_distributor_lines_received_total)": logs,
        "sum(tempo_distributor_spans_received_total)": spans,
    }
    amount = disk.Amount(logs=1500, spans=12)
    assert disk.arrived(lambda query: counted.get(query, 0), amount, 0.1) is expected


def test_a_backend_that_was_started_again_ends_the_wait() -> None:
    again = "sum(resets(tempo_distributor_spans_received_total[90s]))"
    amount = disk.Amount(logs=1500, spans=12)
    with pytest.raises(StackError, match=r"^tempo ended and was started again"):
        disk.arrived(lambda query: float(query == again), amount, 90.2)
