"""A domain of one's own, as docs/own.md makes it, in the running stack."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from glasshouse_cli.project import Project
from glasshouse_dashboards.expand import TimeRange, expand, panels, variables
from support import backends, otlp, own
from support.grafana import ask
from support.ports import free
from support.stack import Stack
from support.waiting import until

INSTRUMENT = Path(sys.executable).with_name("opentelemetry-instrument")
UVICORN = Path(sys.executable).with_name("uvicorn")
STARTED_WITHIN_S = 240
ARRIVED_WITHIN_S = 240
CARD = "4111111111111111"


@pytest.fixture(scope="module")
def service(
    project: Project, stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The example's service, which sends to the stack; yields its address."""
    folder = tmp_path_factory.mktemp("booking")
    shutil.copy(stack.state / "own" / "events.py", folder)
    text = own.written_by_hand(project.root)["booking.py"]
    (folder / "booking.py").write_text(text, encoding="utf-8")
    port = free(["BOOKING"])["BOOKING"]
    variables_of = {
        "OTEL_PYTHON_DISTRO": "glasshouse",
        "OTEL_SERVICE_NAME": "booking",
        "OTEL_EXPORTER_OTLP_ENDPOINT": stack.otlp,
        "GLASSHOUSE_OTLP_TOKEN_FILE": str(stack.state / "secrets" / "otlp_token"),
        "GLASSHOUSE_HMAC_KEY_FILE": str(stack.state / "secrets" / "hmac_key"),
        "NO_PROXY": "127.0.0.1",
    }
    kept = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
    with (folder / "console").open("wb") as console:
        process = subprocess.Popen(
            [str(INSTRUMENT), str(UVICORN), "booking:app", f"--port={port}"],
            cwd=folder,
            env={**kept, **variables_of},
            stdout=console,
            stderr=subprocess.STDOUT,
        )
        address = f"http://127.0.0.1:{port}"

        def answers() -> tuple[bool | None, object]:
            with contextlib.suppress(httpx.TransportError):
                return call("GET", f"{address}/docs").is_success or None, "no success"
            return None, (folder / "console").read_text(encoding="utf-8")[-2000:]

        try:
            until(answers, what="the booking service", deadline_s=STARTED_WITHIN_S)
            yield address
        finally:
            process.terminate()
            process.wait(60)


@pytest.fixture(scope="module")
def bookings(service: str) -> list[str]:
    """Six bookings, of which one fails and two are cancelled; the ids of those that are there."""
    made: list[str] = []
    for nights, channel in (
        (1, "web"),
        (2, "web"),
        (3, "app"),
        (90, "app"),
        (4, "web"),
        (5, "kiosk"),
    ):
        answer = call(
            "POST",
            f"{service}/bookings",
            guest="jane@example.com",
            nights=str(nights),
            channel=channel,
        )
        assert answer.status_code == (201 if nights < 30 else 409)
        made += [answer.json()["id"]] if nights < 30 else []
    for booking, refund in zip(made, (80.5, 19.99), strict=False):
        call("DELETE", f"{service}/bookings/{booking}", refund=str(refund)).raise_for_status()
    return made


def call(method: str, url: str, **parameters: str) -> httpx.Response:
    return httpx.request(method, url, params=parameters, timeout=240, trust_env=False)


def values(http: httpx.Client, stack: Stack, query: str, *labels: str) -> dict[Any, float]:
    found = backends.prometheus_query(http, stack.url("prometheus"), query)
    return {tuple(one["labels"].get(name) for name in labels): one["value"] for one in found}


def settled(
    http: httpx.Client, stack: Stack, query: str, wanted: Mapping[Any, float], *labels: str
) -> None:
    """Wait until a query has exactly these values."""

    def probe() -> tuple[bool | None, object]:
        found = values(http, stack, query, *labels)
        return (True if found == wanted else None), found

    until(probe, what=query, deadline_s=ARRIVED_WITHIN_S)


@pytest.mark.usefixtures("bookings")
def test_the_values_that_are_derived_of_its_events_are_exact(
    http: httpx.Client, stack: Stack
) -> None:
    # Known values are there from the start, at 0; another one comes with its first event.
    wanted = {
        ("requested", "web"): 3,
        ("completed", "web"): 3,
        ("failed", "web"): 0,
        ("requested", "app"): 2,
        ("completed", "app"): 1,
        ("failed", "app"): 1,
        ("requested", "kiosk"): 1,
        ("completed", "kiosk"): 1,
    }
    shown = 'bookings_total{channel!="other"}'
    settled(http, stack, f"sum by (state, channel) ({shown})", wanted, "state", "channel")
    refunds = {("plans",): 100.49, ("price",): 0}
    settled(http, stack, "sum by (reason) (booking_refunds_total)", refunds, "reason")
    settled(http, stack, "sum(booking_duration_seconds_count)", {(): 6})
    settled(http, stack, 'sum(booking_duration_seconds_bucket{le="300.0"})', {(): 6})


@pytest.mark.usefixtures("bookings")
def test_every_panel_of_its_dashboard_has_data(http: httpx.Client, stack: Stack) -> None:
    file = stack.state / "own" / "dashboards" / "booking.json"
    board = json.loads(file.read_text(encoding="utf-8"))
    asked = [(panel, target) for panel in panels(board) for target in panel["targets"]]
    assert len(asked) == 10
    for panel, target in asked:

        def probe(panel: Any = panel, target: Any = target) -> tuple[list[Any] | None, object]:
            now = time.time()
            window = TimeRange(start=now - 900, end=now)
            query = expand(target["expr"], variables(board), window)
            found = ask(http, stack, panel["datasource"]["uid"], target, query, window)
            return found or None, query

        # The rules of the longest windows are evaluated every two minutes.
        until(probe, what=panel["title"])


def test_its_rules_are_evaluated_and_its_pages_served(http: httpx.Client, stack: Stack) -> None:
    def probe() -> tuple[list[Any] | None, object]:
        groups = http.get(f"{stack.url('prometheus')}/api/v1/rules").json()["data"]["groups"]
        found = [
            (group["file"], rule["name"], rule["health"], rule.get("lastError"))
            for group in groups
            if group["file"].startswith("/etc/own/")
            for rule in group["rules"]
        ]
        return (None if any(health == "unknown" for _, _, health, _ in found) else found), found

    evaluated = until(probe, what="own rules are evaluated")
    alerts = [name for _, name, _, _ in evaluated if name[0].isupper()]
    assert sorted(alerts) == ["BookingBudgetBurn"] * 4 + ["BookingFailures"]
    assert {(health, error) for _, _, health, error in evaluated} == {("ok", None)}
    settled(http, stack, 'slo:error_budget:ratio{slo="booking-completion"}', {(): 0.01})
    for name in ("BookingFailures", "BookingBudgetBurn"):
        page = http.get(f"{stack.url('prometheus')}/user/{name}.md")
        assert page.text.startswith(f"# {name}\n")
        assert "/explore?" in page.text


def test_its_ids_are_no_cards_and_its_guests_are_no_names(
    http: httpx.Client, stack: Stack, bookings: list[str]
) -> None:
    """The same digits are masked under another name: the positive control."""
    with closing(otlp.Sender(stack.otlp, "booking", stack.sender)) as sender:
        fields = {"booking.id": CARD, "booking.note": CARD}
        sender.logs([otlp.log("An id that could be a card", fields)])

    def probe() -> tuple[list[Any] | None, object]:
        now = time.time()
        window = {"start": int((now - 900) * 1e9), "end": int(now * 1e9), "limit": 500}
        answer = http.get(
            f"{stack.url('loki')}/loki/api/v1/query_range",
            params={"query": '{service_name="booking"} | json', **window},
        ).raise_for_status()
        lines = [one["stream"] for one in answer.json()["data"]["result"]]
        found = [line for line in lines if "booking_note" in line]
        ids = {line.get("booking_id") for line in lines}
        return (lines if found and set(bookings) <= ids else None), len(lines)

    lines = until(probe, what="the lines of the booking service", deadline_s=ARRIVED_WITHIN_S)
    [odd] = [line for line in lines if "booking_note" in line]
    assert (odd["booking_id"], odd["booking_note"]) == (CARD, "[card:1111]")
    guests = {line["booking_user_id"] for line in lines if "booking_user_id" in line}
    assert len(guests) == 1
    assert guests.pop().startswith("[user:")


def test_the_page_says_what_is_checked_and_it_passes(project: Project, stack: Stack) -> None:
    ran = own.glasshouse(project, stack.state / "own", "check-own")
    assert ran.returncode == 0, ran.stderr
    assert "3 in collector" not in ran.stderr
    assert ran.stderr.splitlines()[-1].endswith(
        ": 2 in telemetry, 1 in objectives, 2 in rules, 1 in tests, 2 in runbooks, "
        "1 in dashboards, 2 in collector"
    )


def test_under_seventy_lines_are_written_by_hand(project: Project) -> None:
    files = own.written_by_hand(project.root)
    assert set(files) == {"own/telemetry/cancellation.yaml", "booking.py"}
    lines = [line for text in files.values() for line in text.splitlines() if line.strip()]
    # As the page and the README say.
    assert 50 < len(lines) < 70
