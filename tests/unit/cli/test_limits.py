"""Limits that contradict each other are reported, each in one line, before anything starts."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from glasshouse_cli import up
from glasshouse_cli.components import PORT_VARIABLES
from glasshouse_cli.console import Terminal
from glasshouse_cli.doctor.limits import limits as doctor_rows
from glasshouse_cli.errors import StackError
from glasshouse_cli.limits import pairs, special, units
from glasshouse_cli.limits.check import check, compare, ensure
from glasshouse_cli.limits.settings import COLLECTOR, FILES, LOKI, PROMETHEUS, TEMPO, load
from glasshouse_cli.project import Project

ROOT = Path(__file__).parents[3]
Documents = dict[str, dict[str, Any]]

# Small, and as the programs take it; each row below breaks one thing of it.
GOOD = """
collector/config.yaml:
  extensions:
    otlp_limits: { max_depth: 16 }
    dead_letter: { directory: /x, max_mib: 64 }
  receivers:
    otlp:
      protocols:
        grpc: { max_recv_msg_size_mib: 20 }
        http: { endpoint: x }
  processors:
    pii: {}
    admission:
      logs: { body_bytes: 262144, attributes: 256, attributes_bytes: 262144, index_bytes: 512,
              oldest: 335h, newest: 9m }
      traces: { value_bytes: 16384, oldest: 335h }
      metrics: { oldest: 23h, newest: 9m }
      services: { most: 1000, bytes_per_second: 16777216 }
  exporters:
    otlp_bisect/loki: &backend
      max_request_bytes: 4194304
      sending_queue: { sizer: bytes, queue_size: 900000000, batch: { max_size: 4194304 } }
    otlp_bisect/tempo: *backend
    otlp_bisect/prometheus: *backend
loki/loki.yaml:
  server: { grpc_server_max_recv_msg_size: 134217728 }
  limits_config:
    retention_period: 2w
    max_line_size: 256KB
    max_label_value_length: 2048
    max_structured_metadata_size: 256KB
    max_structured_metadata_entries_count: 256
    reject_old_samples_max_age: 336h
    creation_grace_period: 10m
    shard_streams: { time_sharding_enabled: true }
    ingestion_rate_mb: 64
    ingestion_burst_size_mb: 256
    per_stream_rate_limit_burst: 256MB
    max_global_streams_per_user: 50000
tempo/tempo.yaml:
  distributor: { max_attribute_bytes: 16384 }
  overrides: { defaults: { ingestion: { burst_size_bytes: 268435456 } } }
  backend_worker: { compaction: { block_retention: 336h } }
prometheus/prometheus.yaml:
  storage: { tsdb: { out_of_order_time_window: 24h } }
"""
ADMISSION = "processors.admission"

# File, key, value that breaks the pair, and the line that reports it.
BROKEN = [
    (
        COLLECTOR,
        f"{ADMISSION}.logs.body_bytes",
        524288,
        "collector/config.yaml: admission.logs.body_bytes is 524288, but loki/loki.yaml: "
        "limits_config.max_line_size is 256KB: lines between are refused; lower one or raise the "
        "other",
    ),
    (LOKI, "limits_config.max_line_size", "255KB", "admission.logs.body_bytes is 262144, but"),
    (
        COLLECTOR,
        f"{ADMISSION}.logs.attributes",
        257,
        "max_structured_metadata_entries_count is 256",
    ),
    (LOKI, "limits_config.max_structured_metadata_entries_count", 128, "logs.attributes is 256"),
    (COLLECTOR, f"{ADMISSION}.logs.attributes_bytes", 262145, "metadata_size is 256KB"),
    (LOKI, "limits_config.max_structured_metadata_size", "64KB", "attributes_bytes is 262144"),
    (COLLECTOR, f"{ADMISSION}.logs.index_bytes", 2049, "max_label_value_length is 2048"),
    (COLLECTOR, f"{ADMISSION}.logs.oldest", "336h", "reject_old_samples_max_age is 336h"),
    (LOKI, "limits_config.reject_old_samples_max_age", "2w1h", "retention_period is 2w"),
    (LOKI, "limits_config.retention_period", "13d", "max_age is 336h, but loki/loki.yaml"),
    (COLLECTOR, f"{ADMISSION}.logs.newest", "10m", "creation_grace_period is 10m"),
    (LOKI, "limits_config.shard_streams.time_sharding_enabled", False, "set it to true"),
    (COLLECTOR, f"{ADMISSION}.services.bytes_per_second", 67108865, "ingestion_rate_mb is 64"),
    (
        COLLECTOR,
        f"{ADMISSION}.services.most",
        2001,
        "admission.services.most is 2001, each with up to 25 streams, but loki/loki.yaml: "
        "limits_config.max_global_streams_per_user is 50000",
    ),
    (COLLECTOR, f"{ADMISSION}.traces.value_bytes", 16385, "max_attribute_bytes is 16384"),
    (TEMPO, "distributor.max_attribute_bytes", 2048, "traces.value_bytes is 16384"),
    (COLLECTOR, f"{ADMISSION}.traces.oldest", "336h", "block_retention is 336h"),
    (TEMPO, "backend_worker.compaction.block_retention", "48h", "traces.oldest is 335h"),
    (COLLECTOR, f"{ADMISSION}.metrics.oldest", "24h", "out_of_order_time_window is 24h"),
    (PROMETHEUS, "storage.tsdb.out_of_order_time_window", "30m", "metrics.oldest is 23h"),
    (COLLECTOR, f"{ADMISSION}.metrics.newest", "10m", "points up to 10m ahead"),
    (LOKI, "limits_config.ingestion_burst_size_mb", 4, "max_request_bytes is 4194304, but"),
    (LOKI, "limits_config.per_stream_rate_limit_burst", "3MB", "burst is 3MB: a request as large"),
    (LOKI, "server.grpc_server_max_recv_msg_size", 4194304, "recv_msg_size is 4194304: a request"),
    (
        TEMPO,
        "overrides.defaults.ingestion.burst_size_bytes",
        1,
        "otlp_bisect/tempo.max_request_bytes",
    ),
    (
        COLLECTOR,
        "extensions.otlp_limits.max_depth",
        33,
        "pii.max_depth is 32 (not set: its default)",
    ),
    (COLLECTOR, "processors.pii.max_depth", 15, "otlp_limits.max_depth is 16, but"),
    (COLLECTOR, "receivers.otlp.protocols.grpc.max_recv_msg_size_mib", 21, "set both to the same"),
    (
        COLLECTOR,
        "receivers.otlp.protocols.http.max_request_body_size",
        1000,
        "grpc.max_recv_msg_size_mib is 20, but",
    ),
    (COLLECTOR, "extensions.dead_letter.max_mib", 39, "max_mib is 39: a request that is set aside"),
    (COLLECTOR, "extensions.dead_letter.max_mib", 4096, "over half of the 5 GiB of disk"),
    # What is no number at all.
    (COLLECTOR, f"{ADMISSION}.logs.body_bytes", "big", "is big, which is no number: fix it"),
    (COLLECTOR, f"{ADMISSION}.logs.body_bytes", True, "is True, which is no number: fix it"),
    (COLLECTOR, f"{ADMISSION}.metrics.oldest", "1d", "is 1d, which is no duration"),
    (LOKI, "limits_config.max_line_size", "256 Kib", "is 256 Kib, which is no size"),
]


def fresh() -> Documents:
    # Through JSON, so that what an anchor shares is changed in one place only.
    return json.loads(json.dumps(yaml.safe_load(GOOD)))


@pytest.fixture
def good() -> Documents:
    return fresh()


def change(documents: Documents, file: str, key: str, value: object) -> None:
    """Set one key, or take it away with None. Keys hold no dots but between them."""
    *path, last = key.split(".")
    at = documents[file]
    for step in path:
        at = at.setdefault(step, {})
    if value is None:
        del at[last]
    else:
        at[last] = value


def test_the_committed_files_fit_together_and_all_is_checked():
    found = check(ROOT)

    assert found.contradictions == []
    assert found.unchecked == []
    assert found.held >= len(pairs.PAIRS) + 8


def test_what_fits_together_is_no_finding(good: Documents):
    found = compare(good)

    assert (found.contradictions, found.unchecked) == ([], [])


@pytest.mark.parametrize(("file", "key", "value", "line"), BROKEN)
def test_a_contradiction_is_one_line(
    good: Documents, file: str, key: str, value: object, line: str
):
    change(good, file, key, value)

    found = compare(good)

    lines = [one for one in found.contradictions if line in one]
    assert len(lines) == 1, found.contradictions
    # One value may break several pairs, but it is named in the line of each.
    assert all(key.partition(".")[2] in one for one in found.contradictions)
    assert all("\n" not in one for one in found.contradictions)


def test_every_pair_is_broken_by_a_row():
    shown = " ".join(compare_all_broken())
    for pair in pairs.PAIRS:
        assert pair.consequence in shown, pair.consequence
    for refs in pairs.REQUESTS.values():
        for ref in refs:
            assert f"but {ref.file}: {'.'.join(ref.path)} is" in shown


def compare_all_broken() -> list[str]:
    lines: list[str] = []
    for file, key, value, _ in BROKEN:
        documents = fresh()
        change(documents, file, key, value)
        lines += compare(documents).contradictions
    return lines


REFS = [(ref.file, ".".join(ref.path)) for pair in pairs.PAIRS for ref in (pair.one, pair.other)]
REFS += [(ref.file, ".".join(ref.path)) for refs in pairs.REQUESTS.values() for ref in refs]
REFS += [(LOKI, ".".join(ref.path)) for ref in (pairs.STREAMS, pairs.SHARDING)]
REFS += [(COLLECTOR, f"{ADMISSION}.metrics.newest"), (COLLECTOR, f"{ADMISSION}.services.most")]


@pytest.mark.parametrize(("file", "key"), dict.fromkeys(REFS))
def test_what_is_not_there_is_reported_as_not_checked(good: Documents, file: str, key: str):
    change(good, file, key, None)

    found = compare(good)

    assert found.contradictions == []
    hidden = 1 if file == COLLECTOR else 0
    name = f"{file}: {'.'.join(key.split('.')[hidden:])} is not set: not checked"
    assert any(line.startswith(name) for line in found.unchecked), found.unchecked


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("processors.admission", "processors has no admission"),
        ("processors.pii", "processors has no pii"),
        ("extensions.otlp_limits", "extensions has no otlp_limits"),
        ("extensions.dead_letter", "extensions has no dead_letter"),
        ("receivers.otlp", "receivers has no otlp"),
        ("exporters.otlp_bisect/loki", "there is no exporter for loki"),
        ("exporters", "there is no exporter for tempo"),
    ],
)
def test_a_component_that_is_not_there_is_reported(good: Documents, key: str, line: str):
    change(good, COLLECTOR, key, None)

    found = compare(good)

    assert found.contradictions == []
    assert any(line in one for one in found.unchecked), found.unchecked


def test_a_value_from_the_environment_is_reported(good: Documents):
    change(good, COLLECTOR, f"{ADMISSION}.logs.newest", "${env:NEWEST}")

    found = compare(good)

    assert found.contradictions == []
    [line] = found.unchecked
    assert "admission.logs.newest comes from the environment: not checked against" in line


@pytest.mark.parametrize("exporter", ["otlp_bisect/loki", "otlp_http/loki"])
def test_without_a_bound_of_its_own_a_request_is_a_batch(good: Documents, exporter: str):
    loki = good[COLLECTOR]["exporters"].pop("otlp_bisect/loki")
    loki["max_request_bytes"] = 0
    good[COLLECTOR]["exporters"][exporter] = loki
    assert (compare(good).contradictions, compare(good).unchecked) == ([], [])

    key = f"exporters.{exporter}.sending_queue"
    change(good, COLLECTOR, f"{key}.batch.max_size", 500000000)
    lines = compare(good).contradictions
    assert len(lines) == 3
    assert all("max_size is 500000000, but loki/loki.yaml" in line for line in lines)

    change(good, COLLECTOR, f"{key}.batch.max_size", 0)
    lines = compare(good).contradictions
    assert len(lines) == 3
    assert all("max_size is 0: that is no bound, but loki/loki.yaml" in line for line in lines)

    change(good, COLLECTOR, f"{key}.batch.max_size", None)
    assert compare(good).contradictions == []
    assert all("max_size is not set" in line for line in compare(good).unchecked)

    change(good, COLLECTOR, key, {"sizer": "items", "batch": {"max_size": 5000}})
    found = compare(good)
    assert found.contradictions == []
    assert len(found.unchecked) == 3
    assert all("batch.max_size counts items, not bytes" in line for line in found.unchecked)
    # The batch's own word goes before the queue's.
    change(good, COLLECTOR, f"{key}.batch.sizer", "bytes")
    assert (compare(good).contradictions, compare(good).unchecked) == ([], [])


@pytest.mark.parametrize(
    "key",
    [
        "max_line_size",
        "max_structured_metadata_size",
        "max_structured_metadata_entries_count",
        "max_global_streams_per_user",
        "retention_period",
    ],
)
def test_zero_is_no_bound_where_the_backend_says_so(good: Documents, key: str):
    change(good, LOKI, f"limits_config.{key}", 0)

    assert compare(good).contradictions == []


def test_a_service_without_a_bound_is_reported(good: Documents):
    change(good, COLLECTOR, f"{ADMISSION}.services.bytes_per_second", 0)

    found = compare(good)

    assert found.contradictions == []
    assert "bytes_per_second is 0, which is no bound" in found.unchecked[0]


def test_time_sharding_is_needed_for_late_logs_only(good: Documents):
    change(good, LOKI, "limits_config.shard_streams.time_sharding_enabled", False)
    change(good, COLLECTOR, f"{ADMISSION}.logs.oldest", "1h")

    assert compare(good).contradictions == []


def test_each_admission_is_checked(good: Documents):
    second = copy.deepcopy(good[COLLECTOR]["processors"]["admission"])
    second["logs"]["attributes"] = 9999
    change(good, COLLECTOR, "processors.admission/second", second)

    [line] = compare(good).contradictions
    assert "admission/second.logs.attributes is 9999" in line


@pytest.mark.parametrize(
    ("parse", "text", "expected"),
    [
        (units.loki_size, "256KB", 262144),
        (units.loki_size, "256kb", 262144),
        (units.loki_size, "1 m", 1 << 20),
        (units.loki_size, "3GB", 3 << 30),
        (units.loki_size, 77, 77),
        (units.go_duration, "335h", 335 * 3600),
        (units.go_duration, "336h0m0s", 336 * 3600),
        (units.go_duration, "1.5m", 90),
        (units.go_duration, "250ms", 0.25),
        (units.go_duration, 0, 0),
        (units.prometheus_duration, "2w", 14 * 86400),
        (units.prometheus_duration, "1d12h", 36 * 3600),
        (units.prometheus_duration, "10m0s", 600),
        (units.mib, 6, 6 << 20),
        (units.mib, 0.5, 1 << 19),
    ],
)
def test_units_are_those_of_the_program(parse: units.Parse, text: object, expected: float):
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (units.loki_size, "256KiB"),
        (units.loki_size, "1.5MB"),
        (units.loki_size, ""),
        (units.loki_size, None),
        (units.go_duration, "1d"),
        (units.go_duration, "5"),
        (units.go_duration, "h"),
        (units.go_duration, "1h "),
        (units.go_duration, "-1h"),
        (units.prometheus_duration, "1.5h"),
        (units.number, "7"),
        (units.number, None),
    ],
)
def test_what_the_program_would_not_take_is_no_number(parse: units.Parse, text: object):
    with pytest.raises(ValueError, match=r"^no (number|size|duration)"):
        parse(text)


@pytest.mark.parametrize(
    ("folder", "name", "value"),
    [
        ("piiprocessor", "defaultMaxDepth", special.PII_DEPTH),
        ("otlplimits", "defaultMaxDepth", special.LIMITS_DEPTH),
        ("deadletter", "defaultMaxMiB", special.DEAD_LETTER_MIB),
        ("otlpbisect", "defaultMaxRequestBytes", special.REQUEST_BYTES),
    ],
)
def test_defaults_are_those_of_the_code(folder: str, name: str, value: int):
    code = (ROOT / "collector" / folder / "config.go").read_text(encoding="utf-8")
    found = re.search(rf"^\s*{name}\s*= ([0-9]+)(?: << ([0-9]+))?$", code, re.MULTILINE)
    assert found, name
    assert int(found[1]) << int(found[2] or 0) == value


# Where it is said.


@pytest.fixture
def project(tmp_path: Path, good: Documents) -> Project:
    """A checkout of which only what is read before the start is there."""
    for name in FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(yaml.safe_dump(good[name]))
    ports = {name: str(20000 + number) for number, name in enumerate(PORT_VARIABLES)}
    return Project(root=tmp_path, settings={**ports, "GLASSHOUSE_STATE": "state"})


def spoil(project: Project) -> None:
    document = load(project.root)[LOKI]
    document["limits_config"]["max_line_size"] = "1KB"
    document["limits_config"]["creation_grace_period"] = "1m"
    (project.root / LOKI).write_text(yaml.safe_dump(document))


def test_up_refuses_before_anything_starts(project: Project, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "/nowhere")
    spoil(project)

    with pytest.raises(StackError) as caught:
        up.up(project, Terminal(quiet=True))

    head, *lines = str(caught.value).splitlines()
    assert head == "limits contradict each other:"
    assert len(lines) == 2
    assert not project.state.exists()


def test_the_doctor_has_a_row_for_each(project: Project):
    [row] = doctor_rows(project)
    assert (row.name, row.status) == ("limits", "ok")
    assert re.search(r"^\d\d pairs of settings fit together$", row.detail)

    spoil(project)
    document = load(project.root)[TEMPO]
    del document["distributor"]
    (project.root / TEMPO).write_text(yaml.safe_dump(document))
    rows = list(doctor_rows(project))
    assert [row.status for row in rows] == ["failed", "failed", "skipped"]
    assert "max_line_size is 1KB" in rows[0].detail


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, r"loki/loki\.yaml is missing: restore it, `git checkout loki/loki\.yaml`"),
        (b"a: [", r"loki/loki\.yaml cannot be read: while parsing"),
        (b"\xff\xfe\xff", r"loki/loki\.yaml cannot be read: "),
        (b"- a\n", r"loki/loki\.yaml has no settings"),
        (b"", r"loki/loki\.yaml has no settings"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(
    project: Project, content: bytes | None, fault: str
):
    if content is None:
        (project.root / LOKI).unlink()
    else:
        (project.root / LOKI).write_bytes(content)

    with pytest.raises(StackError, match=rf"^{fault}") as caught:
        ensure(project.root)
    assert "\n" not in str(caught.value)
