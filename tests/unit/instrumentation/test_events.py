"""One rule names an event's attributes, and people leave as pseudonyms."""

import hashlib
import hmac
import logging
import re

import pytest

from glasshouse import emit_event, user_pseudonym
from glasshouse.errors import ConfigurationError
from glasshouse.events import attribute_name, field_name
from glasshouse.pseudonym import hmac_key

KEY = "k" * 32


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSHOUSE_HMAC_KEY", KEY)
    monkeypatch.delenv("GLASSHOUSE_HMAC_KEY_FILE", raising=False)
    hmac_key.cache_clear()


def of_key(key: str, text: bytes) -> str:
    return hmac.new(key.encode(), text, hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    ("event", "field", "attribute", "console"),
    [
        ("payment.created", "transaction_id", "payment.transaction_id", "transactionId"),
        ("payment.created", "currency", "payment.currency", "currency"),
        ("payment.submitted", "blockchain_tx_id", "payment.blockchain_tx_id", "blockchainTxId"),
        ("automation.run.failed", "run_id", "automation.run_id", "runId"),
        ("job.finished", "next_run_at", "job.next_run_at", "nextRunAt"),
        ("job.finished", "id", "job.id", "jobId"),
        ("job.finished", "name", "job.name", "job"),
        ("notification.queued", "id", "notification.id", "notificationId"),
        ("automation.run.failed", "session_id", "automation.session_id", "automationSessionId"),
    ],
)
def test_a_field_has_one_name_over_otlp_and_one_on_the_console(
    event: str, field: str, attribute: str, console: str
) -> None:
    assert attribute_name(event, field) == attribute
    assert field_name(event, attribute) == console


@pytest.mark.parametrize("attribute", ["error.type", "job.id", "payments.id"])
def test_attributes_of_other_domains_keep_their_name(attribute: str) -> None:
    assert field_name("payment.failed", attribute) == attribute


def test_a_field_may_be_called_as_a_parameter_is(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="glasshouse.events"):
        emit_event("job.finished", "Job finished", id=5, name="sweep", message="done")
    [record] = caplog.records
    found = {key: value for key, value in vars(record).items() if key.startswith("job.")}
    assert found == {"job.id": 5, "job.name": "sweep", "job.message": "done"}


def test_an_event_is_one_record_with_flat_attributes(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    emit_event(
        "payment.failed",
        "Payment failed",
        transaction_id="tx_1",
        user_id="bob",
        confirmation_delay=None,
        amount=0.1 + 0.2,
        error_type="reverted",
    )
    [record] = caplog.records
    expected = f"[user:{of_key(KEY, b'glasshouse key id')[:2]}{of_key(KEY, b'bob')[:14]}]"
    assert record.getMessage() == "Payment failed"
    assert {k: v for k, v in vars(record).items() if "." in k or k == "event"} == {
        "otel.event.name": "payment.failed",
        "event": "payment.failed",
        "payment.transaction_id": "tx_1",
        "payment.user_id": expected,
        "payment.amount": 0.3,
        "error.type": "reverted",
    }


def test_the_same_person_has_one_pseudonym_and_others_have_others() -> None:
    assert user_pseudonym("bob") == user_pseudonym("bob")
    assert user_pseudonym("bob") != user_pseudonym("Bob")


def test_a_pseudonym_stays_and_an_id_of_16_hex_digits_becomes_one() -> None:
    once = user_pseudonym("0123456789abcdef")
    assert re.fullmatch(r"\[user:[0-9a-f]{16}\]", once)
    assert user_pseudonym(once) == once


def test_a_short_key_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSHOUSE_HMAC_KEY", "short")
    with pytest.raises(ConfigurationError, match=r"^GLASSHOUSE_HMAC_KEY: the key needs at"):
        user_pseudonym("bob")


def test_a_missing_key_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSHOUSE_HMAC_KEY_FILE", "/nowhere/key")
    with pytest.raises(
        ConfigurationError, match=r"^GLASSHOUSE_HMAC_KEY_FILE: cannot read /nowhere/key: No such"
    ):
        user_pseudonym("bob")


@pytest.mark.parametrize(
    ("event", "level"), [("payment.failed", "WARNING"), ("payment.confirmed", "INFO")]
)
def test_what_failed_is_a_warning(caplog: pytest.LogCaptureFixture, event: str, level: str) -> None:
    with caplog.at_level("INFO", logger="glasshouse.events"):
        emit_event(event, "Payment ended")
    assert [record.levelname for record in caplog.records] == [level]
