"""Alerts, each caused by a fault: they arrive at the receiver, and are resolved after it.

The stack runs the committed rules with windows and waits `support.stack.SPEED` times shorter.
"""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from support import backends
from support.payments import pay
from support.stack import Stack
from support.waiting import until
from support.words import fresh

CAUSED = ("ApiDown", "PaymentOutage", "NotificationFailures", "WorkerHeartbeatLost")
TEXT_MESSAGES = 5
PAYMENT_EVERY_S = 0.5
# Over the 30 s of WorkerHeartbeatLost and BackendSilent, with their waits.
AGED_S = 45


@pytest.fixture
def outside(http: httpx.Client, stack: Stack) -> Iterator[str]:
    """The sandbox's address; faults are cleared and API and worker run again afterwards."""
    sandbox = stack.url("sandbox")
    http.delete(f"{sandbox}/faults").raise_for_status()
    yield sandbox
    http.delete(f"{sandbox}/faults").raise_for_status()
    stack.docker("start", "api")
    stack.docker("start", "worker")

    def answers() -> tuple[bool | None, object]:
        try:
            answer = http.get(f"{stack.api}/livez")
        except httpx.TransportError as error:
            return None, repr(error)
        return answer.is_success or None, answer.status_code

    until(answers, what="the API answers")


@pytest.fixture
def payments(stack: Stack) -> Iterator[threading.Event]:
    """Payments go on being made until the event is set."""
    end = threading.Event()

    def keep_paying() -> None:
        with httpx.Client(timeout=240, trust_env=False) as client:
            while not end.wait(PAYMENT_EVERY_S):
                pay(client, stack, "USD", fresh("alerts-"))

    thread = threading.Thread(target=keep_paying)
    thread.start()
    yield end
    end.set()
    thread.join(240)


def set_fault(http: httpx.Client, sandbox: str, service: str) -> None:
    answer = http.put(f"{sandbox}/faults/{service}", json={"mode": "down"})
    assert answer.status_code == httpx.codes.OK, answer.text


def send_text(http: httpx.Client, stack: Stack) -> None:
    body = {
        "userId": "user-1",
        "channel": "sms",
        "template": "welcome",
        "to": "+4915112345678",
        "data": {"name": "Ada"},
    }
    answer = http.post(f"{stack.api}/notifications", json=body, headers=stack.caller)
    assert answer.status_code == httpx.codes.ACCEPTED, answer.text


def wait_received(
    http: httpx.Client, sandbox: str, name: str, status: str, since: datetime
) -> dict[str, Any]:
    """Wait until the receiver has an alert that began (or ended) after ``since``."""
    when = {"firing": "startsAt", "resolved": "endsAt"}[status]

    def probe() -> tuple[dict[str, Any] | None, object]:
        groups = http.get(f"{sandbox}/received/alerts").json()
        alerts = [alert for group in groups for alert in group["alerts"]]
        seen = [alert for alert in alerts if alert["labels"]["alertname"] == name]
        found = [
            alert
            for alert in seen
            if alert["status"] == status and datetime.fromisoformat(alert[when]) >= since
        ]
        return (found[-1] if found else None), seen[-3:]

    return until(probe, what=f"{name} {status} at the receiver")


def wait_quiet(http: httpx.Client, stack: Stack) -> None:
    def probe() -> tuple[bool | None, object]:
        alerts = http.get(f"{stack.url('prometheus')}/api/v1/alerts").json()["data"]["alerts"]
        active = {alert["labels"]["alertname"] for alert in alerts} & set(CAUSED)
        return (None if active else True), active

    until(probe, what="none of these alerts is active")


def test_three_faults_are_notified_and_their_ends_too(
    http: httpx.Client, stack: Stack, outside: str, payments: threading.Event
) -> None:
    wait_quiet(http, stack)
    began = datetime.now(tz=UTC)
    set_fault(http, outside, "chain")
    set_fault(http, outside, "sms")
    for _ in range(TEXT_MESSAGES):
        send_text(http, stack)

    outage = wait_received(http, outside, "PaymentOutage", "firing", began)
    failures = wait_received(http, outside, "NotificationFailures", "firing", began)
    assert outage["labels"] == {
        "alertname": "PaymentOutage",
        "severity": "page",
        "area": "payments",
    }
    assert failures["labels"] == {
        "alertname": "NotificationFailures",
        "severity": "page",
        "area": "notifications",
        "channel": "sms",
    }
    # Where the page says that it leads.
    page = http.get(outage["annotations"]["runbook_url"], headers=stack.operator)
    assert page.text.startswith("# PaymentOutage\n")

    cleared = datetime.now(tz=UTC)
    http.delete(f"{outside}/faults").raise_for_status()
    wait_received(http, outside, "PaymentOutage", "resolved", cleared)
    payments.set()

    killed = datetime.now(tz=UTC)
    stack.docker("kill", "worker")
    wait_received(http, outside, "WorkerHeartbeatLost", "firing", killed)
    wait_received(http, outside, "NotificationFailures", "resolved", cleared)

    started = datetime.now(tz=UTC)
    stack.docker("start", "worker")
    wait_received(http, outside, "WorkerHeartbeatLost", "resolved", started)


def test_a_dead_api_is_notified_as_that_and_not_as_a_dead_worker(
    http: httpx.Client, stack: Stack, outside: str
) -> None:
    wait_quiet(http, stack)
    killed = datetime.now(tz=UTC)
    stack.docker("kill", "api")
    down = wait_received(http, outside, "ApiDown", "firing", killed)
    assert down["labels"] == {
        "alertname": "ApiDown",
        "severity": "page",
        "area": "api",
        "target": "api",
    }
    # Longer than the last report of the API, by which the worker was taken for dead, may be old.
    age = 'time() - max(timestamp(worker_heartbeat_age_seconds{service_name="backend-api"}))'

    def aged() -> tuple[bool | None, object]:
        found = backends.prometheus_query(http, stack.url("prometheus"), age)
        return (True if found and found[0]["value"] > AGED_S else None), found

    until(aged, what=f"the API's last report is {AGED_S} s old")
    alerts = http.get(f"{stack.url('prometheus')}/api/v1/alerts").json()["data"]["alerts"]
    names = {alert["labels"]["alertname"] for alert in alerts}
    assert "ApiDown" in names
    assert not names & {"WorkerHeartbeatLost", "BackendSilent"}

    started = datetime.now(tz=UTC)
    stack.docker("start", "api")
    wait_received(http, outside, "ApiDown", "resolved", started)
