"""The comparison of redaction's cost: what each pipeline is, and what is made of the figures."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from glasshouse_bench import compare, speed
from glasshouse_bench.speed import Figure
from support import deployed
from support.deployed import ROOT

DEPLOYED_COMPRESSION = "${env:BACKEND_COMPRESSION:-none}"


@pytest.mark.parametrize(
    ("pipeline", "storage", "compression"),
    [
        ("deployed", "durable_storage", DEPLOYED_COMPRESSION),
        ("lean", None, DEPLOYED_COMPRESSION),
        ("bare", None, "none"),
    ],
)
def test_a_pipeline_has_the_parts_it_is_named_for(
    pipeline: str, storage: str | None, compression: str
) -> None:
    document = speed.configuration(ROOT, "pii", pipeline)
    assert document["service"]["extensions"] == list(document["extensions"])
    for exporter in document["exporters"].values():
        assert exporter["sending_queue"].get("storage") == storage
        assert exporter["sending_queue"]["batch"]["min_size"] == 500
        assert exporter["compression"] == compression
    for part in document["service"]["pipelines"].values():
        assert part["processors"] == ["memory_limiter", "pii"]


def test_the_deployed_pipeline_queues_as_the_deployed_collector_does() -> None:
    document, collector = speed.configuration(ROOT, "none", "deployed"), deployed.load()
    for signal, backend in {"logs": "loki", "traces": "tempo"}.items():
        measured = document["exporters"][f"otlp_http/{signal}"]
        assert measured["sending_queue"] == queue_of(collector, backend)
        assert measured["endpoint"] == "${env:BENCH_SINK}"
    assert document["extensions"]["durable_storage"]["storage"] == "file_storage"
    storage = document["extensions"]["file_storage"]
    assert storage["directory"] == "${env:BENCH_QUEUE}"
    assert storage["fsync"] is collector["extensions"]["file_storage"]["fsync"] is True


def queue_of(collector: deployed.Document, backend: str) -> dict[str, Any]:
    [name] = [name for name in deployed.queued_exporters(collector) if name.endswith(f"/{backend}")]
    queue = collector["exporters"][name]["sending_queue"]
    assert queue["storage"] == "durable_storage"
    return queue


def _figure(candidate: str, us: float, signal: str = "logs") -> Figure:
    return Figure(
        pipeline="lean",
        candidate=candidate,
        signal=signal,
        records=1_000_000,
        cpu_s=us,
        wall_s=us,
    )


def test_the_best_round_counts() -> None:
    kept = speed.best([_figure("pii", 14), _figure("pii", 12), _figure("pii", 13)])
    assert [one.us_per_record for one in kept] == [12]


def test_ratios() -> None:
    figures = [_figure("none", 10), _figure("pii", 14), _figure("stock", 910)]
    assert speed.ratios(figures) == {
        "lean": {
            "logs": {
                "against_none": pytest.approx(10 / 14),
                "against_stock": pytest.approx(65),
                "most_against_stock": pytest.approx(91),
                "added_us_per_record": pytest.approx(4),
                "against_stock_alone": pytest.approx(225),
            }
        }
    }


def test_a_difference_within_the_noise_is_no_ratio() -> None:
    figures = [_figure("none", 10), _figure("pii", 9.9), _figure("stock", 910)]
    assert speed.ratios(figures)["lean"]["logs"]["against_stock_alone"] is None


def test_a_base_is_measured_with_its_own_policy(tmp_path: Path) -> None:
    for part in ("dev/bench/collector", "collector", "redaction"):
        shutil.copytree(
            ROOT / part,
            tmp_path / part,
            ignore=shutil.ignore_patterns("*.go", ".otelcol", "testdata"),
        )
    configure = compare.configuration_beside(tmp_path)
    base, ours = configure(ROOT, "base", "bare"), configure(ROOT, "pii", "bare")
    assert base["processors"]["pii"]["policy"] == str(tmp_path / "redaction" / "rules.yaml")
    assert ours["processors"]["pii"]["policy"] == str(ROOT / "redaction" / "rules.yaml")


def test_ours_is_compared_with_the_base() -> None:
    figures = [_figure("none", 2.0), _figure("base", 4.0), _figure("pii", 4.1)]
    assert compare.ratios(figures)["lean"]["logs"] == {
        "base_us_per_record": pytest.approx(2.0),
        "added_us_per_record": pytest.approx(2.1),
        "against_base": pytest.approx(1.05),
    }
    figures[1] = _figure("base", 2.3)
    assert compare.ratios(figures)["lean"]["logs"]["against_base"] is None
