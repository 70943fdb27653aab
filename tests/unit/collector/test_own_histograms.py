"""The histograms of the Collector itself show the values that they get."""

import re
from pathlib import Path

import httpx
import pytest

from support import collector_process, deployed, histograms, otlp, otlp_sink, plausible
from support.waiting import until

CONFIG = deployed.CONFIG.read_text(encoding="utf-8")
METRICS = "8888"
# What dashboards ask of it, and what its processors, exporters and servers measure.
EXPECTED = {
    "http_client_request_duration_seconds",
    "http_server_request_duration_seconds",
    "http_server_request_body_size_bytes",
    "otelcol_processor_internal_duration_seconds",
    "otelcol_exporter_queue_batch_send_size_bytes",
}


def boundaries(text: str) -> dict[str, tuple[float, ...]]:
    """Return the boundaries of each histogram of an exposition, without the last, +Inf."""
    found: dict[str, set[float]] = {}
    for name, limit in re.findall(r'^(\w+)_bucket\{.*?le="([^"]+)"', text, re.MULTILINE):
        found.setdefault(name, set()).add(float(limit))
    return {name: tuple(sorted(limits - {float("inf")})) for name, limits in found.items()}


@pytest.fixture(scope="module")
def exposed(
    program: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[float, ...]]:
    """The histograms of a Collector that has sent each signal on, by their names in Prometheus."""
    at = collector_process.place(tmp_path_factory.mktemp("otelcol"), CONFIG)
    with (
        otlp_sink.running() as sink,
        collector_process.running(program, at, CONFIG, sink=sink.url) as collector,
        otlp.Sender(collector.otlp, otlp.BELIEVED, collector.sender) as sender,
    ):
        sender.logs([otlp.log("Worker started", {})])
        sender.spans([otlp.span("send", {})])
        sender.metrics([otlp.gauge("mails", 1, {})])

        def probe() -> tuple[dict[str, tuple[float, ...]] | None, object]:
            text = httpx.get(f"{at.url(METRICS)}/metrics", timeout=60, trust_env=False).text
            found = boundaries(text)
            return found if found.keys() >= EXPECTED else None, sorted(found)

        return until(probe, what="the Collector has measured itself")


def test_boundaries_fit_the_unit_of_each(exposed: dict[str, tuple[float, ...]]) -> None:
    wrong = {
        name: plausible.misfits(name, histograms.unit_of(name), limits)
        for name, limits in exposed.items()
    }
    assert not {name: said for name, said in wrong.items() if said}


def test_what_dashboards_ask_of_it_has_the_boundaries_that_they_rely_on(
    exposed: dict[str, tuple[float, ...]],
) -> None:
    known = histograms.stored()
    for name in exposed.keys() & known.keys():
        if known[name].unit == "s":
            assert exposed[name] == known[name].boundaries, f"{name}: one `le` for both"
