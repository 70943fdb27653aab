"""What is kept of the patterns of the policy is what is derived of them, and changes nothing."""

import dataclasses
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from glasshouse.redaction import known_needs, policy
from glasshouse.redaction.known_needs import KnownNeeds
from glasshouse.redaction.needs import derive
from glasshouse.redaction.schema import check
from glasshouse.redaction.syntax import parse
from support.deployed import ROOT

WRITER = ROOT / "dev" / "checks" / "policy_copy.py"
FILE = policy.packaged_policy().with_name(known_needs.FILE)
HINT = "run: make policy"


def patterns() -> list[tuple[str, str]]:
    document = yaml.safe_load(policy.packaged_policy().read_text(encoding="utf-8"))
    rules = [rule for rule in document["rules"] if rule.get("pattern")]
    return [(rule["pattern"], rule.get("validate", "")) for rule in rules]


def comparable(rules: policy.Policy) -> dict[str, Any]:
    """Return all of a policy but whether it is the shipped one, with patterns as their text."""
    found = {one.name: getattr(rules, one.name) for one in dataclasses.fields(rules)}
    del found["shipped"]
    found["rules"] = [
        {
            **{one.name: getattr(rule, one.name) for one in dataclasses.fields(rule)},
            "pattern": getattr(rule.pattern, "pattern", None),
        }
        for rule in rules.rules
    ]
    return found


def test_the_file_is_what_is_derived_of_the_policy() -> None:
    spec = importlib.util.spec_from_file_location("policy_copy", WRITER)
    assert spec is not None
    assert spec.loader is not None
    writer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(writer)
    text = policy.packaged_policy().read_text(encoding="utf-8")
    assert FILE.read_text(encoding="utf-8") == writer.rows(text), HINT


def test_every_pattern_is_known_with_what_is_derived_of_it() -> None:
    known = KnownNeeds.shipped()
    found = patterns()
    assert len(found) > 50
    for pattern, validator in found:
        wanted = derive(parse(pattern), validator)
        assert known.of(pattern, validator) == wanted, f"{HINT}: {pattern}"
        assert known.of(f"{pattern}x", validator) is None


def test_a_policy_of_the_same_meaning_is_read_as_the_shipped_one(tmp_path: Path) -> None:
    """The slow way, with every check, says the same of each rule."""
    mine = tmp_path / "rules.yaml"
    text = policy.packaged_policy().read_text(encoding="utf-8")
    mine.write_text(f"{text}# mine\n", encoding="utf-8")
    shipped, slow = policy.load(policy.packaged_policy()), policy.load(mine)
    assert (shipped.shipped, slow.shipped) == (True, False)
    assert comparable(shipped) == comparable(slow)
    check(yaml.compose(text))


@pytest.mark.parametrize("text", [None, "{", "[]"], ids=["no file", "no JSON", "no map"])
def test_a_file_that_cannot_be_read_costs_time_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    if text is not None:
        (tmp_path / known_needs.FILE).write_text(text, encoding="utf-8")
    wanted = comparable(policy.load(policy.packaged_policy()))
    monkeypatch.setattr(known_needs, "files", lambda _: tmp_path)
    known = KnownNeeds.shipped()
    assert known.of(*patterns()[0]) is None
    assert comparable(policy.load(policy.packaged_policy())) == wanted


def test_the_file_is_read_by_people_line_by_line() -> None:
    rows = json.loads(FILE.read_text(encoding="utf-8"))
    assert list(rows) == sorted(rows)
    assert len(FILE.read_text(encoding="utf-8").splitlines()) == len(rows) + 2
