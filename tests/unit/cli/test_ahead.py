"""The doctor's canary during a start: when it is sent, and when what it showed does not count."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from glasshouse_cli import compose, project
from glasshouse_cli.compose import Container
from glasshouse_cli.console import Terminal
from glasshouse_cli.doctor import checks, examine
from glasshouse_cli.doctor.ahead import Ahead
from glasshouse_cli.doctor.checks import Check
from glasshouse_cli.errors import StackError
from support.deployed import ROOT

CHECKOUT = project.load(ROOT)
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
WAY = ("collector", "loki", "tempo", "prometheus", "proxy")
ARRIVED = Check(name="logs → Loki", status="ok", detail="arrived")
MISSED = Check(name="traces → Tempo", status="failed", detail="not there after 20 s")


def container(service: str) -> Container:
    return Container(
        id=f"id-of-{service}",
        service=service,
        state="running",
        exit_code=0,
        health="",
        restarts=0,
        started=BEGAN,
        finished=None,
    )


RUNNING = [container(service) for service in (*WAY, "api")]


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> list[Check]:
    """What the canary shows, to be changed by the test."""
    shown = [ARRIVED]
    monkeypatch.setattr(compose, "containers", lambda _: RUNNING)  # pyright: ignore[reportUnknownLambdaType]
    monkeypatch.setattr(checks, "data_flow", lambda _: iter(shown))  # pyright: ignore[reportUnknownLambdaType]
    return shown


@pytest.mark.parametrize("service", [one for one in WAY if one != "proxy"])
def test_it_waits_for_all_of_its_way(rows: list[Check], service: str) -> None:
    ahead = Ahead(CHECKOUT)
    ahead.begin(waiting=[service, "api"])
    assert ahead.found(RUNNING) is None
    ahead.begin(waiting=["api"])
    assert ahead.found(RUNNING) == rows


def test_it_is_sent_once(monkeypatch: pytest.MonkeyPatch, rows: list[Check]) -> None:
    sent: list[int] = []
    let_go = threading.Event()

    def flow(_: object) -> Iterator[Check]:
        sent.append(1)
        assert let_go.wait(60)
        yield ARRIVED

    monkeypatch.setattr(checks, "data_flow", flow)
    ahead = Ahead(CHECKOUT)
    for _ in range(3):
        ahead.begin(waiting=["api"])  # and nobody waits for it
    let_go.set()
    assert ahead.found(RUNNING) == rows
    assert sent == [1]


@pytest.mark.parametrize("service", WAY)
def test_a_container_that_was_replaced_or_began_anew_is_asked_again(
    rows: list[Check], service: str
) -> None:
    def changed(**new: object) -> list[Container]:
        return [replace(one, **new) if one.service == service else one for one in RUNNING]

    ahead = Ahead(CHECKOUT)
    ahead.begin(waiting=())
    assert ahead.found(changed(id="another")) is None
    assert ahead.found(changed(started=BEGAN + timedelta(seconds=1))) is None
    assert ahead.found([one for one in RUNNING if one.service != service]) is None
    assert ahead.found(changed(health="healthy")) == rows


def test_what_is_not_on_its_way_may_change(rows: list[Check]) -> None:
    ahead = Ahead(CHECKOUT)
    ahead.begin(waiting=())
    assert ahead.found([*RUNNING[:-1], replace(RUNNING[-1], id="another")]) == rows


def test_a_failure_in_the_rush_of_a_start_is_not_the_last_word(rows: list[Check]) -> None:
    rows.append(MISSED)
    ahead = Ahead(CHECKOUT)
    ahead.begin(waiting=())
    assert ahead.found(RUNNING) is None


def test_what_cannot_be_asked_is_left_to_the_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_engine(_: object) -> list[Container]:
        raise StackError("docker ps failed")

    monkeypatch.setattr(compose, "containers", no_engine)
    ahead = Ahead(CHECKOUT)
    ahead.begin(waiting=())
    assert ahead.found(RUNNING) is None


def test_the_doctor_takes_what_is_known_and_asks_for_what_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = Check(name="asked", status="ok", detail="")
    monkeypatch.setattr(examine, "_GROUPS", (("data flow", lambda _: iter([asked])),))  # pyright: ignore[reportUnknownLambdaType]
    terminal = Terminal(quiet=True)
    assert examine.examine(CHECKOUT, terminal, lambda: [ARRIVED]) == [ARRIVED]
    assert examine.examine(CHECKOUT, terminal, lambda: None) == [asked]
    assert examine.examine(CHECKOUT, terminal) == [asked]
