"""A wrong event does not pass pyright, raises in tests, and never raises in production."""

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from backend.telemetry import emitter, events
from backend.telemetry.emitter import EventError
from backend.telemetry.known_values import JobOutcome
from glasshouse.pseudonym import hmac_key, user_pseudonym

ROOT = Path(__file__).parents[3]
PAYMENT: dict[str, Any] = {
    "transaction_id": "tx_1",
    "user_id": "bob",
    "currency": "EUR",
    "amount": 10.5,
}


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSHOUSE_HMAC_KEY", "k" * 32)
    monkeypatch.delenv("GLASSHOUSE_HMAC_KEY_FILE", raising=False)
    hmac_key.cache_clear()


@pytest.fixture
def production(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(emitter.STRICT_VARIABLE)
    monkeypatch.setattr(emitter, "_reported", set[str]())


def emitted(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """The attributes of the events, without what logging itself adds."""
    return [
        {key: value for key, value in vars(record).items() if "." in key}
        | {"message": record.getMessage(), "level": record.levelname}
        for record in caplog.records
        if record.name == "glasshouse.events"
    ]


def faults(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        vars(record)["event.fault"]
        for record in caplog.records
        if record.name == emitter.__name__ and record.levelname == "ERROR"
    ]


async def test_an_event_is_what_the_catalogue_says(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await events.payment_created(
        None, transaction_id="tx_1", user_id="bob", currency="EUR", amount=10.5
    )
    assert emitted(caplog) == [
        {
            "otel.event.name": "payment.created",
            "payment.transaction_id": "tx_1",
            "payment.user_id": user_pseudonym("bob"),
            "payment.currency": "EUR",
            "payment.amount": 10.5,
            "message": "Payment created",
            "level": "INFO",
        }
    ]


@pytest.mark.parametrize(
    ("outcome", "level"), [(JobOutcome.FAILED, "WARNING"), (JobOutcome.RETRIED, "INFO")]
)
async def test_a_failed_job_is_a_warning(
    caplog: pytest.LogCaptureFixture, outcome: JobOutcome, level: str
) -> None:
    caplog.set_level(logging.INFO)
    await events.job_finished(None, id=5, name="sweep_payments", outcome=outcome, attempt=1)
    [event] = emitted(caplog)
    assert (event["level"], event["job.id"], event["job.name"], event["job.outcome"]) == (
        level,
        5,
        "sweep_payments",
        outcome,
    )
    assert "job.duration" not in event


WRONG = [
    ({"amount": "10.50"}, "amount is str, not float"),
    ({"amount": True}, "amount is bool, not float"),
    ({"amount": None}, "amount is missing"),
    ({"transaction_id": 7}, "transaction_id is int, not str"),
    ({"currency": object()}, "currency is object, not str"),
]


@pytest.mark.parametrize(("change", "fault"), WRONG)
async def test_a_wrong_field_raises_in_tests(
    caplog: pytest.LogCaptureFixture, change: dict[str, Any], fault: str
) -> None:
    with pytest.raises(EventError) as caught:
        await events.payment_created(None, **PAYMENT | change)
    assert str(caught.value) == f"payment.created: {fault}: see telemetry/payment.yaml"
    assert emitted(caplog) == []


@pytest.mark.parametrize(("change", "fault"), WRONG)
@pytest.mark.usefixtures("production")
async def test_in_production_the_event_goes_without_it_and_it_is_logged_once(
    caplog: pytest.LogCaptureFixture, change: dict[str, Any], fault: str
) -> None:
    caplog.set_level(logging.INFO)
    for _ in range(3):
        await events.payment_created(None, **PAYMENT | change)
    [field] = change
    assert [f"payment.{field}" in event for event in emitted(caplog)] == [False] * 3
    assert [event["otel.event.name"] for event in emitted(caplog)] == ["payment.created"] * 3
    assert faults(caplog) == [f"payment.created: {fault}"]


async def test_a_value_that_is_not_known_raises_where_others_cannot_occur() -> None:
    status: Any = "lost"
    with pytest.raises(EventError, match=r"^notification\.queued: delivery_status is none of q"):
        await events.notification_queued(
            None,
            id="nt_1",
            user_id="bob",
            channel="email",
            template="welcome",
            delivery_status=status,
        )


async def test_a_value_that_is_not_known_is_an_event_where_others_may_occur(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    await events.payment_created(None, **{**PAYMENT, "currency": "CHF"})
    [event] = emitted(caplog)
    assert event["payment.currency"] == "CHF"


@pytest.mark.usefixtures("production")
async def test_in_production_a_lost_key_reaches_nobody(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLASSHOUSE_HMAC_KEY", "short")
    hmac_key.cache_clear()
    for _ in range(3):
        await events.payment_created(None, **PAYMENT)
    assert emitted(caplog) == []
    assert faults(caplog) == ["payment.created: cannot be emitted: ConfigurationError"]


WRONG_CODE = """
from backend.telemetry import events

_ = events.payment_created(None, transaction_id="t", user_id="u", currency="EUR", amount=1.0)
_ = events.payment_created(None, transaction_id="t", user_id="u", currency="EUR", amount="1.0")
_ = events.payment_created(None, transaction_id="t", user_id="u", currency="EUR")
_ = events.payment_created(None, transaction_id="t", user_id="u", currency="E", amount=1.0, iban="")
_ = events.payment_settled(None, transaction_id="t")
_ = events.notification_queued(
    None,
    id="n",
    user_id="u",
    channel="email",
    template="welcome",
    delivery_status="lost",
)
"""
FOUND = {
    5: "reportArgumentType",
    6: "reportCallIssue",
    7: "reportCallIssue",
    8: "reportAttributeAccessIssue",
    15: "reportArgumentType",
}


def test_a_wrong_field_type_or_event_does_not_pass_pyright(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text(WRONG_CODE, encoding="utf-8")
    command = [sys.executable, "-m", "pyright", "--outputjson", str(wrong)]
    ended = subprocess.run(
        [*command, "--pythonpath", sys.executable],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    found = {
        one["range"]["start"]["line"] + 1: one["rule"]
        for one in json.loads(ended.stdout)["generalDiagnostics"]
    }
    assert found == FOUND
