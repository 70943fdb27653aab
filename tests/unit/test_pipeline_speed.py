"""The measurement of the deployed Collector: what it runs, sends, and makes of figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from glasshouse_bench import deployed as bench
from glasshouse_bench.deployed import Cost
from glasshouse_bench.sized import SIZES, Sized
from support import deployed
from support.deployed import ROOT

PORTS = {"4317": 1, "4318": 2, "8888": 3, "8889": 4, "13133": 5}


def _configuration(candidate: str) -> dict[str, Any]:
    return bench.configuration(ROOT, candidate, Path("/work"), PORTS)


def test_ours_is_the_deployed_configuration_at_other_addresses() -> None:
    measured, collector = _configuration("ours"), deployed.load()
    assert measured["service"]["pipelines"] == collector["service"]["pipelines"]
    assert measured["exporters"]["otlp_bisect/loki"] == collector["exporters"]["otlp_bisect/loki"]
    storage = collector["extensions"]["file_storage"]
    assert measured["extensions"]["file_storage"] == storage | {
        "directory": "/work/storage",
        "compaction": storage["compaction"] | {"directory": "/work/storage"},
    }
    assert measured["receivers"]["otlp"]["protocols"]["http"]["endpoint"] == "127.0.0.1:2"
    text = json.dumps(measured)
    for foreign in ("0.0.0.0", "/etc/otelcol", "/run/secrets", "/var/lib"):  # noqa: S104
        assert foreign not in text


@pytest.mark.parametrize(
    ("candidate", "storage", "compression"),
    [("none", None, "none"), ("stock", "file_storage", "gzip")],
)
def test_what_it_is_compared_with_has_stock_parts_alone(
    candidate: str, storage: str | None, compression: str
) -> None:
    document = _configuration(candidate)
    exporters = {"traces": "tempo", "metrics": "prometheus", "logs": "loki"}
    assert document["service"]["pipelines"] == {
        signal: {
            "receivers": ["otlp"],
            "processors": ["memory_limiter"],
            "exporters": [f"otlp_http/{backend}"],
        }
        for signal, backend in exporters.items()
    }
    for exporter in document["exporters"].values():
        assert exporter["compression"] == compression
        assert exporter["sending_queue"].get("storage") == storage


def test_sizes_differ_and_every_fiftieth_record_is_a_new_event() -> None:
    lengths = {size: len(Sized(size, 100).request()) for size in SIZES}
    assert lengths["small"] * 2 < lengths["usual"] < lengths["large"] / 3
    traffic = Sized("usual", 100)
    seen: set[str] = set()
    for _ in range(20):
        request = ExportLogsServiceRequest.FromString(traffic.request())
        records = request.resource_logs[0].scope_logs[0].log_records
        events = [one for one in records if one.event_name == "automation.run.completed"]
        assert (len(records), len(events)) == (100, 2)
        seen |= {
            pair.value.string_value
            for one in events
            for pair in one.attributes
            if pair.key == "log.record.uid"
        }
    assert len(seen) == 40
    spans = ExportTraceServiceRequest.FromString(Sized("spans", 100).request())
    assert len(spans.resource_spans[0].scope_spans[0].spans) == 100


def test_the_median_counts_and_the_spread_is_shown() -> None:
    def cost(us: float, rss_mib: float) -> Cost:
        return Cost(
            candidate="ours",
            size="usual",
            batch=500,
            records=1_000_000,
            cpu_s=us,
            wall_s=1,
            rss_mib=rss_mib,
        )

    [summary] = bench.summaries([cost(9, 80), cost(30, 90), cost(10, 70)])
    assert summary.as_dict() == {
        "candidate": "ours",
        "size": "usual",
        "batch": 500,
        "median_us": 10,
        "least_us": 9,
        "most_us": 30,
        "rss_mib": 90,
    }
