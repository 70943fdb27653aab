"""The policy is the policy: both engines follow whatever it says."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from tests.unit.redaction.test_two_engines import vector_texts

from glasshouse.redaction import Redactor
from glasshouse.redaction.validators import NETWORKS, SHORTENERS, TESTS
from support import policies
from support.engines import KEY, ROOT, both


def vectors() -> list[dict[str, Any]]:
    lines = (ROOT / "redaction" / "vectors.jsonl").read_text("utf-8").splitlines()
    return [vector for vector in map(json.loads, lines) if "value" in vector]


@pytest.mark.parametrize("edit", policies.EDITS, ids=lambda edit: edit.__name__)
def test_every_rule_follows_its_text(tmp_path: Path, edit: policies.Edit) -> None:
    document = policies.shipped()
    rules = policies.patterns(document)
    cases = [edit(rule, place) for place, rule in enumerate(rules)]
    policy = policies.written(document, tmp_path / "rules.yaml")
    lines = [{"value": text} for hit, _, miss in cases for text in (hit, miss)]
    seen = both([*lines, *vectors()], policy)
    wanted = [text for _, masked, miss in cases for text in (masked, miss)]
    assert seen[: len(lines)] == wanted
    redactor = Redactor.load(policies.POLICY, key=KEY.encode())
    assert [redactor.text(hit) for hit, _, _ in cases] == [hit for hit, _, _ in cases]


def test_a_rule_of_which_nothing_is_known_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    document = policies.shipped()
    policies.anything(policies.patterns(document)[7], 7)
    policies.patterns(document)[8]["pattern"] = "[a-z]+"
    name = policies.patterns(document)[8]["name"]
    policy = policies.written(document, tmp_path / "rules.yaml")
    Redactor.load(policy, key=KEY.encode())
    [line] = [record.getMessage() for record in caplog.records]
    assert line.startswith(f"policy {policy}: tried on every text, which is slow: ")
    assert name in line


def test_a_pattern_that_is_gone_matches_no_more(tmp_path: Path) -> None:
    document = policies.shipped()
    for place, rule in enumerate(policies.patterns(document)):
        policies.replaced(rule, place)
    document["rules"] = policies.patterns(document)
    del document["vendor_tokens"]  # with the rule that looks for them
    policy = policies.written(document, tmp_path / "rules.yaml")
    texts = [
        {"value": vector["value"]}
        for vector in vectors()
        if isinstance(vector["value"], str) and vector["value"][:1] not in ("{", "[")
    ]
    assert both(texts, policy) == [line["value"] for line in texts]


@pytest.mark.parametrize("triggers", [None, ["never there"], [{"digits": 99}]])
def test_written_triggers_change_nothing(tmp_path: Path, triggers: list[Any] | None) -> None:
    document = policies.shipped()
    for rule in policies.patterns(document):
        policies.without(rule, "triggers")
        if triggers:
            rule["triggers"] = triggers
    policy = policies.written(document, tmp_path / "rules.yaml")
    assert both(vectors(), policy) == [vector["expected"] for vector in vectors()]


@pytest.mark.parametrize(
    "fields", [("validate",), policies.NEIGHBOURS, ("context_words",), ("rescan",)], ids=str
)
def test_conditions_that_are_gone(tmp_path: Path, fields: tuple[str, ...]) -> None:
    document = policies.shipped()
    for rule in policies.patterns(document):
        policies.without(rule, *fields)
        if rule.get("replacement") == "network" and "validate" in fields:
            policies.without(rule, "replacement")
    policy = policies.written(document, tmp_path / "rules.yaml")
    seen = both(vectors(), policy)
    # They did decide about some.
    assert seen != [vector["expected"] for vector in vectors()] or fields == ("rescan",)


def test_an_edited_email_rule(tmp_path: Path) -> None:
    document = policies.shipped()
    [rule] = [rule for rule in policies.patterns(document) if rule["name"] == "email"]
    widened = rule["pattern"].replace(")@(?:", ")(?:@|\\(@\\))(?:")
    assert widened != rule["pattern"]
    rule["pattern"] = widened
    policies.without(rule, "validate")
    policy = policies.written(document, tmp_path / "rules.yaml")
    texts = [{"value": f"{'é ' * n}jäne(@)mail.example and jane@mail.example"} for n in (0, 1, 9)]
    for text in both(texts, policy):
        assert text.count("[email:") == 2


def test_key_rules_follow_their_text(tmp_path: Path) -> None:
    document = policies.shipped()
    lines: list[dict[str, Any]] = []
    wanted: list[Any] = []
    for place, rule in enumerate(document["keys"]):
        masked = f"[{rule.get('mask', rule['name'])}]"
        policies.without(rule, "exact", "suffix", "anywhere", "query", "text", "line")
        policies.without(rule, "require_digit_in_prose", "prefix", "glued", "behind", "not_behind")
        policies.without(rule, "min_length", "except_values", "require_blank", "require_token")
        rule["suffix"] = [f"{policies.code(place)}_of"]
        rule["anywhere"] = [policies.code(place + 50)]
        name = f"{policies.code(place)}Of"
        lines += [
            {"value": "sesame 1", "key": name},
            {"value": f"say {name}=sesame1 now"},
            {"value": "sesame 1", "key": f"a_{policies.code(place + 50)}_b"},
            {"value": f"{name}x=sesame1"},
        ]
        wanted += [masked, f"say {name}={masked} now", masked, f"{name}x=sesame1"]
    policy = policies.written(document, tmp_path / "rules.yaml")
    old = [{"value": "sesame 1", "key": name} for name in ("password", "api_key", "token", "ssn")]
    assert both([*lines, *old], policy)[: len(lines)] == wanted
    assert both(old, policy) == ["sesame 1"] * len(old)


def test_validators_take_any_hit(tmp_path: Path) -> None:
    """A policy may put any validator beside any pattern."""
    document = policies.shipped()
    del document["vendor_tokens"]  # with the rule that looks for them
    names = sorted({*TESTS, *SHORTENERS, *NETWORKS})
    document["rules"] = [
        {
            "name": f"of_{name}",
            "entity": "any",
            "pattern": f"{policies.code(place)}<([^<>]{{1,60}})",
            "validate": name,
        }
        for place, name in enumerate(names)
    ]
    policy = policies.written(document, tmp_path / "rules.yaml")
    generator = random.Random(20261126)  # noqa: S311 (it must be repeatable)
    texts = [text for text in vector_texts() if len(text) < 60 and "<" not in text]
    lines: list[dict[str, Any]] = []
    for place in range(len(names)):
        for size in (1, 2, 3, 4, 6, 8, 9, 10, 11, 12, 13, 16, 20, 26, 42, 56):
            for alphabet in ("0123456789", "0123456789 -./", "04xXaA:.-@ é1", "é🙂"):
                hit = "".join(generator.choices(alphabet, k=size))
                lines.append({"value": f"{policies.code(place)}<{hit}> "})
        hits = generator.sample(texts, 40)
        lines += [{"value": f"{policies.code(place)}<{hit}> "} for hit in hits]
    seen = both(lines, policy)
    changed = {
        line["value"][:9] for line, one in zip(lines, seen, strict=True) if one != line["value"]
    }
    assert len(changed) > len(names) / 2
    assert not any("[unchecked]" in one for one in seen)
