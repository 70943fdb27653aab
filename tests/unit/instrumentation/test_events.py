"""One rule names an event's attributes, and people leave as pseudonyms."""

import hashlib
import hmac
import logging

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


@pytest.mark.parametrize(
    ("event", "field", "attribute"),
    [
        ("payment.created", "transactionId", "payment.transaction_id"),
        ("payment.created", "currency", "payment.currency"),
        ("payment.submitted", "blockchainTxId", "payment.blockchain_tx_id"),
        ("automation.run.failed", "automationSessionId", "automation.automation_session_id"),
        ("job.finished", "nextRunAt", "job.next_run_at"),
    ],
)
def test_a_field_and_its_attribute_name_each_other(event: str, field: str, attribute: str) -> None:
    assert attribute_name(event, field) == attribute
    assert field_name(event, attribute) == field


def test_attributes_of_other_domains_keep_their_name() -> None:
    assert field_name("payment.failed", "error.type") == "error.type"


def test_an_event_is_one_record_with_flat_attributes(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    emit_event(
        "payment.failed",
        "Payment failed",
        transactionId="tx_1",
        userId="bob",
        confirmationDelay=None,
        amount=0.1 + 0.2,
        error_type="reverted",
    )
    [record] = caplog.records
    expected = hmac.new(KEY.encode(), b"bob", hashlib.sha256).hexdigest()[:16]
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
