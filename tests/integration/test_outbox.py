"""The Collector counts an event once, however often a killed worker's successor sends it."""

import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from glasshouse_cli import images
from glasshouse_cli.project import Project
from support import otlp_sink, outbox, postgres
from support.collector import Rig
from support.otlp_sink import Request
from support.outbox import Scene, uids
from support.waiting import until

PAYMENTS = 30


@pytest.fixture
def scene(project: Project, docker: None, tmp_path: Path) -> Iterator[Scene]:
    folder = postgres.programs()
    image = images.resolve(["postgres"], checkout=project)["POSTGRES_IMAGE"] if not folder else ""
    server = postgres.installed(folder) if folder else postgres.contained(image)
    with server as conninfo, outbox.running(conninfo, tmp_path) as scene:
        yield scene


def total(text: str, name: str, **labels: str) -> float:
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def counted(rig: Rig) -> float:
    return total(rig.derived_text(), "payments_total", state="created")


def repeated(rig: Rig) -> float:
    name = "otelcol_connector_event_metrics_repeated_total"
    return total(httpx.get(rig.own, timeout=30).text, name)


def test_what_a_killed_worker_had_sent_counts_once(scene: Scene, redacting_rig: Rig) -> None:
    rig = redacting_rig
    before, known = counted(rig), repeated(rig)
    scene.paid(PAYMENTS)
    may_answer = threading.Event()

    def pass_on_and_wait(request: Request) -> int:
        """The Collector has it; its answer does not arrive."""
        headers = {"Content-Type": "application/x-protobuf"}
        url = f"{rig.endpoint}{request.path}"
        httpx.post(url, content=request.body, headers=headers, timeout=240).raise_for_status()
        may_answer.wait(180)
        return 200

    with otlp_sink.running(pass_on_and_wait) as between:
        worker = scene.worker(between.url)
        until(
            lambda: ((True if counted(rig) - before == PAYMENTS else None), counted(rig)),
            what="the Collector has counted them",
        )
        worker.kill()
        may_answer.set()
        assert len(scene.waiting()) == PAYMENTS
        assert len(uids(between)) == PAYMENTS
    scene.worker(rig.endpoint)
    scene.until_sent()
    until(
        lambda: ((True if repeated(rig) - known >= PAYMENTS else None), repeated(rig)),
        what="the Collector knows the repeats",
    )
    # One more, so that what was counted before it is on the page.
    scene.paid()
    until(
        lambda: ((True if counted(rig) - before > PAYMENTS else None), counted(rig)),
        what="the last one counts",
    )
    assert counted(rig) - before == PAYMENTS + 1
