"""What the catalogue calls public passes redaction as it is."""

from pathlib import Path

import pytest

from glasshouse.pseudonym import hmac_key
from glasshouse.redaction import Redactor
from glasshouse_cli.telemetry.catalogue import Attribute, Privacy
from glasshouse_cli.telemetry.load import load

ATTRIBUTES = load(Path(__file__).parents[3]).attributes.values()


@pytest.fixture
def redactor(monkeypatch: pytest.MonkeyPatch) -> Redactor:
    monkeypatch.setenv("GLASSHOUSE_HMAC_KEY", "k" * 32)
    monkeypatch.delenv("GLASSHOUSE_HMAC_KEY_FILE", raising=False)
    hmac_key.cache_clear()
    return Redactor.default()


@pytest.mark.parametrize(
    "attribute",
    [one for one in ATTRIBUTES if one.privacy is Privacy.PUBLIC],
    ids=lambda one: one.id,
)
def test_a_public_field_keeps_its_name_and_its_values(
    attribute: Attribute, redactor: Redactor
) -> None:
    assert redactor.name(attribute.id) == attribute.id
    for value in (*attribute.examples, *attribute.values):
        assert redactor.value(value, attribute.id) == value


def test_an_address_does_not(redactor: Redactor) -> None:
    [to] = [one for one in ATTRIBUTES if one.id == "notification.to"]
    assert to.example == "jane@example.com"
    assert "jane" not in str(redactor.value(to.example, to.id))
