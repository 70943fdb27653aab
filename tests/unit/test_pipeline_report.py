"""The report of the deployed pipeline: what its senders write, and what it makes of figures."""

import itertools
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

from glasshouse_bench.overhead import results
from glasshouse_bench.overhead.page import PAGE, filled
from glasshouse_bench.pipeline import cells, linear, memory, page, result
from glasshouse_bench.pipeline.senders import SENDERS, Shaped
from glasshouse_cli.errors import StackError
from support.deployed import ROOT

BATCH = 120


def request(sender: str, **more: Any) -> ExportLogsServiceRequest:
    return ExportLogsServiceRequest.FromString(Shaped(sender, BATCH, **more).request())


def document(**changes: Any) -> dict[str, Any]:
    return {
        "kind": "pipeline",
        "schema": 1,
        "measured": "2026-11-27T12:00:00Z",
        "collector": "0.161.0",
        "source": {"commit": "abc", "changed": False},
        "machine": {"processor": "A", "cores": 2, "memory_gib": 8, "kernel": "6"},
        "load_average": {"before": [0.1, 0.2, 0.3], "after": [1, 1, 1]},
        "settings": {"records": 40_000, "rounds": 3, "batch": 500},
        "cells": [
            {
                "sender": sender,
                "size": size,
                "candidate": candidate,
                "bytes": 500,
                "median_us": us,
                "least_us": us - 1,
                "most_us": us + 1,
            }
            for sender in SENDERS
            for size in cells.SIZES
            for candidate, us in {"none": 5.0, "stock": 30.0, "ours": 12.0}.items()
        ],
        "linear": {
            what: linear.judged({0: 10, 10: 20, 30: 40}, per=1)
            for what in ("rate", "bytes", "attributes")
        },
        "memory": {"rate": 5000, "seconds": 600, **memory.judged(flat())},
        **changes,
    }


def flat() -> list[tuple[float, float]]:
    return [(second, 100 + second % 7) for second in range(600)]


@pytest.mark.parametrize("sender", SENDERS)
def test_every_sender_writes_the_same_texts(sender: str) -> None:
    def texts(one: ExportLogsServiceRequest) -> Counter[str]:
        found = re.findall(r'string_value: "([^"]+)"', str(one))
        return Counter(text for text in found if len(text) > 30 and "/srv/app" not in text)

    written, ours = texts(request(sender)), texts(request("glasshouse"))
    missing = {text for text in ours - written if "backend-api" not in text}
    # Of a resource that the agent does not have.
    assert len(missing) <= 1


def test_the_shape_of_the_python_sdk_is_that_of_its_encoder() -> None:
    """Resource, scopes and fields of a record are those that the SDK's exporter encodes."""
    kept = InMemoryLogRecordExporter()
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(kept))
    for number in range(12):
        provider.get_logger(f"logger-{number % 3}").emit(
            LogRecord(
                timestamp=1,
                observed_timestamp=2,
                severity_number=SeverityNumber.INFO,
                severity_text="INFO",
                body="text",
                attributes={"code.function.name": "f"},
            )
        )
    encoded = encode_logs(kept.get_finished_logs())
    [group] = encoded.resource_logs
    assert [len(scope.log_records) for scope in group.scope_logs] == [4, 4, 4]
    [ours] = request("python-sdk").resource_logs
    assert len(ours.scope_logs) == 6
    assert {len(scope.log_records) for scope in ours.scope_logs} == {BATCH // 6}

    def fields(record: Any) -> set[str]:
        return {field.name for field, _ in record.ListFields()}

    [written, *_] = [one for scope in group.scope_logs for one in scope.log_records]
    assert fields(written) <= fields(ours.scope_logs[1].log_records[1])


def test_an_agent_writes_all_into_the_body() -> None:
    [group] = request("fluent-bit").resource_logs
    [scope] = group.scope_logs
    assert not group.resource.attributes
    assert not scope.scope.name
    assert len(scope.log_records) == BATCH
    for record in scope.log_records:
        assert {field.name for field, _ in record.ListFields()} == {"time_unix_nano", "body"}
        assert [one.key for one in record.body.kvlist_value.values][:2] == ["log", "stream"]


@pytest.mark.parametrize("sender", SENDERS)
def test_no_request_is_like_another(sender: str) -> None:
    traffic = Shaped(sender, BATCH)
    assert len({traffic.request() for _ in range(20)}) == 20


def test_text_and_attributes_are_added() -> None:
    plain = Shaped("glasshouse", BATCH).bytes_per_record
    longer = Shaped("glasshouse", BATCH, text=1024).bytes_per_record
    more = Shaped("glasshouse", BATCH, attributes=24).bytes_per_record
    assert plain + 1000 < longer < plain + 1100
    [record, *_] = request("glasshouse", attributes=24).resource_logs[0].scope_logs[0].log_records
    assert len([one for one in record.attributes if one.key.startswith("app.detail_")]) == 24
    assert more > plain + 24 * 20


def test_a_line_is_linear_and_a_square_is_not() -> None:
    line = linear.judged({0: 10, 1024: 12, 3072: 16, 9216: 28}, per=1024)
    assert (line["is_linear"], line["linear_to"]) == (True, 9216)
    assert line["slope_us"] == pytest.approx(2)
    assert line["steps_us"] == [2, 2, 2]
    square = linear.judged({one: one * one for one in (1, 10, 30, 90)}, per=1)
    assert (square["is_linear"], square["linear_to"]) == (False, 10)
    late = linear.judged({0: 10, 10: 20, 30: 40, 90: 300}, per=1)
    assert (late["is_linear"], late["linear_to"]) == (False, 30)


def test_a_cost_that_grows_slower_is_fine() -> None:
    assert linear.judged({0: 0, 10: 100, 30: 150, 90: 160}, per=1)["is_linear"]


def test_memory_that_only_swings_is_flat_and_a_leak_is_not() -> None:
    assert memory.judged(flat())["is_flat"] is True
    leak = [(second, mib + second / 60) for second, mib in flat()]  # a MiB a minute
    judged = memory.judged(leak)
    assert judged["is_flat"] is False
    assert judged["per_minute_mib"] == pytest.approx(1, abs=0.1)
    assert judged["grown_mib"] == pytest.approx(8, abs=0.5)
    warm = [(second, min(mib, second)) for second, mib in flat()]
    assert memory.judged(warm)["is_flat"] is True, "caches that fill are no leak"
    assert memory.judged(flat()[:40])["is_flat"] is None


def test_the_page_says_what_was_measured() -> None:
    made = page.parts(document())
    assert "Measured: 12.0 µs, **missed**." in made["pipeline"]
    assert "| fluent-bit | large, 500 B | 5.0 (4.0 to 6.0) |" in made["pipeline"]
    assert "| 0.42 | 2.50 |" in made["pipeline"]
    assert "busy machine" not in made["pipeline"]
    assert "It is linear over all" in made["pipeline-linear"]
    assert ": flat (" in made["pipeline-memory"]
    busy = document(load_average={"before": [7, 7, 7], "after": [7, 7, 7]})
    assert "busy machine" in page.parts(busy)["pipeline"]


def test_the_page_in_docs_is_made_from_the_last_result() -> None:
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    made = page.parts(result.read(result.latest(ROOT)))
    assert filled(text, made) == text, "run: make performance"


def test_what_is_no_result_is_refused(tmp_path: Path) -> None:
    number = itertools.count()

    def refused(text: str | None, says: str) -> None:
        path = tmp_path / f"{next(number)}-pipeline.json"
        if text is not None:
            path.write_text(text, encoding="utf-8")
        with pytest.raises(StackError, match=says):
            result.read(path)

    refused(None, "no result can be read")
    for text in ("{", "[]", "{}", json.dumps(document(schema=2)), json.dumps({"schema": 1})):
        refused(text, "make bench-pipeline-report")
    with pytest.raises(StackError, match="run make bench-pipeline-report"):
        result.latest(tmp_path / "nowhere")


def test_results_of_both_benches_stand_in_one_folder(tmp_path: Path) -> None:
    folder = tmp_path / results.FOLDER
    folder.mkdir(parents=True)
    for name, when in (("a", "2026-01-01T00:00:00Z"), ("b", "2026-01-02T00:00:00Z")):
        (folder / f"{name}-pipeline.json").write_text(json.dumps(document(measured=when)))
    assert result.latest(tmp_path).name == "b-pipeline.json"
    with pytest.raises(StackError, match="run make bench first"):
        results.latest(tmp_path)
