"""A start says of each part when it began, when it was ready, and what it waited for."""

from datetime import UTC, datetime, timedelta

import pytest

from glasshouse_cli import parts
from glasshouse_cli.compose import Container
from glasshouse_cli.console import Terminal
from glasshouse_cli.parts import Part

BEGAN = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)


def container(service: str, started: float, finished: float | None = None) -> Container:
    return Container(
        id=service,
        service=service,
        state="running" if finished is None else "exited",
        exit_code=0,
        health="",
        restarts=0,
        started=BEGAN + timedelta(seconds=started),
        finished=None if finished is None else BEGAN + timedelta(seconds=finished),
    )


def of(*containers: Container) -> list[Part]:
    return parts.of(
        containers,
        BEGAN,
        urls={"loki": "http://127.0.0.1:3100"},
        ready={"loki": 15.25},
        answers={"loki": "HTTP 503 Ingester not ready"},
        dependencies={"loki": ["healthcheck"], "migrate": ["postgres"], "worker": ["migrate"]},
    )


def test_parts_come_in_the_order_of_their_start() -> None:
    found = of(container("loki", 2.5), container("migrate", 4.0, 5.5), container("healthcheck", 1))

    assert [part.name for part in found] == ["healthcheck", "loki", "migrate"]
    healthcheck, loki, migrate = found
    assert (loki.started_s, loki.ready_s, loki.done) == (2.5, 15.25, False)
    assert loki.waited_for == ("healthcheck", "HTTP 503 Ingester not ready")
    # Ready is when it had done its work; what does not start here is not waited for.
    assert (migrate.ready_s, migrate.done, migrate.waited_for) == (5.5, True, ())
    assert (healthcheck.ready_s, healthcheck.done) == (None, False)


def test_what_ran_before_waited_for_nothing() -> None:
    [loki] = of(container("loki", -60))
    assert (loki.started_s, loki.waited_for) == (None, ())


def test_they_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    found = of(container("loki", 2.5), container("healthcheck", 1, 1.5), container("worker", -9))
    parts.show(found, Terminal(color=False))
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[2] == ["healthcheck", "1.0", "s", "1.5", "s", "done", "-"]
    assert " ".join(lines[3]) == (
        "loki http://127.0.0.1:3100 2.5 s 15.2 s healthcheck, then HTTP 503 Ingester not ready"
    )
    assert lines[1] == ["worker", "ran", "before", "-", "-"]
