"""The probe says from outside whether something answers, and a worker that it lives itself."""

import asyncio
import http.server
import threading
from collections.abc import Iterator
from typing import Any, ClassVar

import httpx
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from backend.jobs.heartbeat import Heartbeat
from backend.platform import probe
from backend.platform.database import create_pool
from backend.platform.probe import Probe
from backend.platform.settings import DatabaseSettings
from support.ports import free

NOWHERE = DatabaseSettings.model_validate(
    {"database_url": "postgresql://backend@127.0.0.1:1/backend", "database_password": "nothing"}
)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Api(http.server.BaseHTTPRequestHandler):
    """Answers with a status, and counts connections."""

    status: ClassVar[int] = 200
    connections: ClassVar[int] = 0
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        type(self).connections += 1
        super().setup()

    def do_GET(self) -> None:  # the library's name
        self.send_response(self.status if self.path == "/livez" else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def api() -> Iterator[str]:
    Api.status, Api.connections = 200, 0
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/livez"
        server.shutdown()
        thread.join(30)


def reported(instrumented: Probe | Heartbeat) -> dict[str, list[tuple[float, dict[str, Any]]]]:
    reader = InMemoryMetricReader()
    instrumented.register(MeterProvider([reader]).get_meter("test"))
    read = reader.get_metrics_data()
    metrics = read.resource_metrics[0].scope_metrics[0].metrics if read else []
    return {
        metric.name: [
            (point.value, dict(point.attributes or {}))  # type: ignore[union-attr]
            for point in metric.data.data_points
        ]
        for metric in metrics
    }


def successes(asked: Probe) -> list[tuple[float, dict[str, Any]]]:
    return reported(asked).get("probe.success", [])


async def test_an_answer_is_one_and_any_other_is_zero(
    api: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    clock = Clock()
    async with httpx.AsyncClient(trust_env=False) as client:
        asked = Probe(client, "api", api, clock)
        assert successes(asked) == []
        for status, success in ((200, 1), (200, 1), (503, 0), (302, 0), (204, 0), (200, 1)):
            Api.status = status
            await asked.ask()
            assert successes(asked) == [(success, {"target": "api"})], status
        assert reported(asked)["probe.duration"] == [(0.0, {"target": "api"})]
    # As a stranger: each time over a connection of its own.
    assert Api.connections == 6
    said = [
        (one.levelname, vars(one)["answer"]) for one in caplog.records if one.name == probe.__name__
    ]
    assert said == [("INFO", "200"), ("WARNING", "503"), ("INFO", "200")]


async def test_nobody_there_is_zero() -> None:
    url = f"http://127.0.0.1:{free(['nobody'])['nobody']}/livez"
    async with httpx.AsyncClient(trust_env=False) as client:
        asked = Probe(client, "api", url)
        await asked.ask()
    assert successes(asked) == [(0, {"target": "api"})]


async def test_one_that_accepts_and_never_answers_is_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "TIMEOUT_S", 0.2)
    release = asyncio.Event()

    async def never(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        writer.close()

    server = await asyncio.start_server(never, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with httpx.AsyncClient(trust_env=False) as client:
        asked = Probe(client, "api", f"http://127.0.0.1:{port}/livez")
        await asked.ask()
    release.set()
    server.close()
    assert successes(asked) == [(0, {"target": "api"})]


async def test_an_old_answer_is_not_reported_as_news(api: str) -> None:
    clock = Clock()
    async with httpx.AsyncClient(trust_env=False) as client:
        asked = Probe(client, "api", api, clock)
        await asked.ask()
    clock.now += 3 * probe.INTERVAL_S
    assert successes(asked) == [(1, {"target": "api"})]
    clock.now += 1
    assert successes(asked) == []


async def test_a_worker_reports_its_pulse_without_a_database() -> None:
    clock = Clock()
    heartbeat = Heartbeat(create_pool(NOWHERE, application="test"), "worker", clock)
    clock.now += 7
    assert reported(heartbeat) == {"worker.heartbeat_age": [(7.0, {})]}
    await heartbeat.pulse()
    clock.now += 2
    assert reported(heartbeat) == {"worker.heartbeat_age": [(2.0, {})]}
