"""What the deployed configuration of the Collector promises; each promise is broken once."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from support import deployed
from support.deployed import Document

DEPLOYED = deployed.load()
PIPELINES = DEPLOYED["service"]["pipelines"]
EXPORTERS = sorted(deployed.queued_exporters(DEPLOYED))
RECEIVING = sorted(name for name, parts in PIPELINES.items() if parts["receivers"] == ["otlp"])


def broken(change: Callable[[Document], object]) -> list[str]:
    """Return what is found once ``change`` is made."""
    document = copy.deepcopy(DEPLOYED)
    change(document)
    return deployed.broken_promises(document)


def test_every_promise_is_kept() -> None:
    assert deployed.broken_promises(DEPLOYED) == []


def test_what_is_broken_below_is_there() -> None:
    assert {name.partition("/")[2] for name in EXPORTERS} == {"tempo", "loki", "prometheus"}
    assert RECEIVING == ["logs", "metrics", "traces"]
    assert set(DEPLOYED["exporters"]) - set(EXPORTERS) == {"prometheus"}


@pytest.mark.parametrize("pipeline", RECEIVING)
@pytest.mark.parametrize("processor", deployed.FIRST)
def test_a_pipeline_without_one_of_the_first_processors_is_found(
    pipeline: str, processor: str
) -> None:
    lines = broken(
        lambda document: document["service"]["pipelines"][pipeline]["processors"].remove(processor)
    )
    assert lines[0].startswith(f"service.pipelines.{pipeline}: ")


def test_what_is_behind_a_connector_is_found_too() -> None:
    lines = broken(lambda document: document["service"]["pipelines"]["logs"]["processors"].clear())
    derived = [name for name, one in PIPELINES.items() if one["receivers"] == ["event_metrics"]]
    assert [line.partition(":")[0] for line in lines] == [
        f"service.pipelines.{name}" for name in ("logs", *derived)
    ]
    assert len(derived) == 1


def test_admission_before_redaction_is_found() -> None:
    def swap(document: Document) -> None:
        parts = document["service"]["pipelines"]["logs"]
        parts["processors"] = ["memory_limiter", "admission", "pii"]

    lines = broken(swap)
    assert any(line.startswith("service.pipelines.logs: event_metrics, ") for line in lines), lines


def test_an_exporter_past_redaction_is_found() -> None:
    def add(document: Document) -> None:
        document["service"]["pipelines"]["logs/raw"] = {
            "receivers": ["otlp"],
            "processors": ["memory_limiter"],
            "exporters": [EXPORTERS[0]],
        }

    assert broken(add) == [
        f"service.pipelines.logs/raw: {EXPORTERS[0]} gets what has passed ['memory_limiter'] only, "
        "not ['memory_limiter', 'pii', 'admission'] first"
    ]


def test_a_processor_that_passes_on_what_it_cannot_check_is_found() -> None:
    lines = broken(lambda document: document["processors"]["pii"].update(on_error="pass"))
    assert lines == ["processors.pii.on_error: pass, so what cannot be checked is passed on"]


@pytest.mark.parametrize("exporter", EXPORTERS)
@pytest.mark.parametrize(
    ("part", "change", "line"),
    [
        ("sending_queue", {"storage": None}, "storage: missing, so a restart loses what is held"),
        ("sending_queue", {"storage": "memory"}, "storage: memory is not in service.extensions"),
        ("sending_queue", {"enabled": False}, "enabled: False, so nothing is queued"),
        (
            "sending_queue",
            {"block_on_overflow": False},
            "block_on_overflow: off, so a full queue drops records",
        ),
        ("retry_on_failure", {"enabled": False}, "gives up, so an outage loses records"),
        ("retry_on_failure", {"max_elapsed_time": "5m"}, "gives up, so an outage loses records"),
    ],
)
def test_an_exporter_that_loses_records_is_found(
    exporter: str, part: str, change: dict[str, Any], line: str
) -> None:
    [found] = broken(lambda document: document["exporters"][exporter][part].update(change))
    assert found.startswith(f"exporters.{exporter}.{part}")
    assert found.endswith(line)


def test_counts_without_storage_are_found() -> None:
    lines = broken(lambda document: document["connectors"]["event_metrics"].pop("storage"))
    assert lines == ["connectors.event_metrics.storage: missing, so a restart loses what is held"]


@pytest.mark.parametrize("fsync", [False, None])
def test_storage_that_a_power_cut_shortens_is_found(fsync: bool | None) -> None:
    lines = broken(lambda document: document["extensions"]["file_storage"].update(fsync=fsync))
    assert lines == [
        "extensions.file_storage.fsync: off, so a power cut loses what was acknowledged"
    ]


def test_points_of_a_series_are_sent_in_their_order() -> None:
    exporters = deployed.queued_exporters(DEPLOYED)
    [prometheus] = [one for name, one in exporters.items() if name.endswith("/prometheus")]
    assert prometheus["sending_queue"]["num_consumers"] == 1


def test_every_listener_bounds_requests_before_they_are_decoded() -> None:
    protocols = DEPLOYED["receivers"]["otlp"]["protocols"]
    assert set(protocols) == {"grpc", "http"}
    for protocol in protocols.values():
        assert protocol["middlewares"] == [{"id": "otlp_limits"}]
    assert "otlp_limits" in DEPLOYED["service"]["extensions"]


def test_memory_is_bounded_from_inside_out() -> None:
    """Requests, then what memory_limiter allows, then the garbage collector, then the kernel."""
    container = deployed.compose()["services"]["collector"]
    in_flight = DEPLOYED["extensions"]["otlp_limits"]["max_in_flight_mib"]
    limit = DEPLOYED["processors"]["memory_limiter"]["limit_mib"]
    collected = int(container["environment"]["GOMEMLIMIT"].removesuffix("MiB"))
    killed = int(container["mem_limit"].removesuffix("m"))
    assert 0 < in_flight < limit < collected < killed


def test_the_policy_is_the_one_of_this_checkout() -> None:
    path = DEPLOYED["processors"]["pii"]["policy"]
    assert deployed.file_of(path).samefile(deployed.ROOT / "redaction" / "rules.yaml")
