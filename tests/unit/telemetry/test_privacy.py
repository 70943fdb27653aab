"""What the catalogue calls public passes redaction as it is."""

from pathlib import Path

import pytest
import yaml

from glasshouse.pseudonym import hmac_key
from glasshouse.redaction import Redactor
from glasshouse.redaction.names import normalise
from glasshouse_cli.telemetry.catalogue import Attribute, Privacy
from glasshouse_cli.telemetry.load import load

ROOT = Path(__file__).parents[3]
ATTRIBUTES = load(ROOT).attributes.values()


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


def test_the_ids_of_events_are_those_that_redaction_takes_for_ours() -> None:
    """A card under one of these names is stored, so the list holds no other."""
    policy = yaml.safe_load((ROOT / "redaction" / "rules.yaml").read_text(encoding="utf-8"))
    ids = {
        normalise(one.id)
        for one in ATTRIBUTES
        if one.privacy is Privacy.PUBLIC and one.id.endswith(("_id", ".id"))
    }
    assert set(policy["own_keys"]) == ids
