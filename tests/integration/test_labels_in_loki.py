"""Whoever invents severities and services does not take a panel away."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from glasshouse.testing.containers import LokiContainer
from glasshouse_cli import images
from glasshouse_cli.project import Project
from glasshouse_dashboards.queries import logs as queries
from support import collector, collector_process, deployed, otlp
from support.otlp_sink import Sink, running
from support.waiting import until

CONFIG = deployed.CONFIG.read_text(encoding="utf-8")
SENT = 700  # Loki's default refuses a query with over 500 series
WINDOW_S = 3600


@pytest.fixture(scope="module")
def loki(project: Project) -> Iterator[LokiContainer]:
    image = images.resolve(["loki"], checkout=project)["LOKI_IMAGE"]
    with LokiContainer(image, labels=collector.LABEL) as container:
        yield container


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with running() as sink:
        yield sink


def asked(loki: LokiContainer, query: str) -> httpx.Response:
    """Return Loki's answer to a panel's query over all services."""
    text = query.replace("$service", ".+").replace("$__auto", f"{WINDOW_S}s")
    return httpx.get(
        f"{loki.address}/loki/api/v1/query", params={"query": text}, timeout=240, trust_env=False
    )


def series(answer: httpx.Response, label: str) -> set[str]:
    answer.raise_for_status()
    return {one["metric"].get(label, "") for one in answer.json()["data"]["result"]}


def send(endpoint: str, to: str, headers: Mapping[str, str]) -> None:
    """Send as many severities as services, one line each."""
    records = [
        otlp.log("severity") | {"severityText": f"{to}-{number}", "severityNumber": number % 25}
        for number in range(SENT)
    ]
    resources = [
        {
            "resource": {"attributes": otlp.attributes({"service.name": f"{to}-{number}"})},
            "scopeLogs": [{"logRecords": [otlp.log("service")]}],
        }
        for number in range(SENT)
    ]
    with otlp.Sender(endpoint, to, headers) as sender:
        sender.logs(records)
        sender.entries("logs", resources)


def test_the_panels_by_severity_and_service_answer(
    loki: LokiContainer, sink: Sink, program: Path, tmp_path: Path
) -> None:
    config = CONFIG.replace("${env:LOKI_ENDPOINT}", loki.endpoint)
    assert config != CONFIG
    at = collector_process.place(tmp_path, CONFIG)
    with collector_process.running(program, at, config, sink=sink.url) as running_collector:
        send(running_collector.otlp, "synthetic", running_collector.sender)

        def stored() -> tuple[bool | None, object]:
            query = f'sum(count_over_time({{service_name=~"synthetic.*"}}[{WINDOW_S}s]))'
            result = asked(loki, query).json()["data"]["result"]
            lines = float(result[0]["value"][1]) if result else 0.0
            return (lines == 2 * SENT or None), lines

        until(stored, what=f"{2 * SENT} lines are stored")
    severities = series(asked(loki, queries.BY_LEVEL), "severity_text")
    assert severities <= {"UNSPECIFIED", *(f"{name}{step}" for name in NAMES for step in STEPS)}
    assert {"UNSPECIFIED", "INFO", "ERROR4"} <= severities
    assert len(series(asked(loki, queries.BY_SERVICE), "service_name")) == 20
    # Every name has its own stream, and none of them is lost.
    every = asked(loki, queries.BY_SERVICE.replace("topk(20, ", "(", 1))
    assert len(series(every, "service_name")) == SENT + 1


NAMES = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
STEPS = ("", "2", "3", "4")


def test_past_the_collector_the_panel_has_as_many_series_as_anybody_sends(
    loki: LokiContainer,
) -> None:
    """The control: what the Collector does is what bounds them."""
    send(loki.endpoint, "direct", {})

    def stored() -> tuple[bool | None, object]:
        answer = asked(loki, queries.BY_LEVEL)
        found = series(answer, "severity_text") if answer.is_success else {answer.text}
        return (len(found) >= SENT or None), len(found)

    until(stored, what=f"{SENT} severities are found")
