"""Ids of one's own are no cards, in the same places in which those of the policy are none."""

import pytest

from glasshouse.errors import ConfigurationError
from glasshouse.redaction import Redactor, redactor

KEY = b"k" * 32
CARD = "4111111111111111"


def test_an_id_of_ones_own_is_kept_and_no_other() -> None:
    plain, own = Redactor.load(key=KEY), Redactor.load(key=KEY, own_keys=["booking_id"])
    assert plain.value(CARD, "booking.id") == "[card:1111]"
    assert own.value(CARD, "booking.id") == CARD
    assert own.value(CARD, "booking.note") == "[card:1111]"
    assert own.value(CARD, "payment.transaction_id") == CARD
    # It is a name, not a licence: what is no id by its shape is masked.
    assert own.value("jane@example.com", "booking.id") != "jane@example.com"


def test_they_are_set_by_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSHOUSE_REDACTION_OWN_KEYS", " booking_id, ticket_id,")
    fresh = redactor._default.__wrapped__()  # pyright: ignore[reportPrivateUsage]
    assert fresh.value({"booking.id": CARD, "ticket.id": CARD, "note": CARD}) == {
        "booking.id": CARD,
        "ticket.id": CARD,
        "note": "[card:1111]",
    }


@pytest.mark.parametrize(
    "name", ["card", "card_number", "Booking_id", "booking.id", "id", "card_id"]
)
def test_another_name_than_an_ids_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("GLASSHOUSE_REDACTION_OWN_KEYS", f"booking_id,{name}")
    with pytest.raises(
        ConfigurationError, match=rf"GLASSHOUSE_REDACTION_OWN_KEYS: '{name}' (is|has)"
    ):
        redactor._default.__wrapped__()  # pyright: ignore[reportPrivateUsage]
