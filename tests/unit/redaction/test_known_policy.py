"""The policy as it is kept beside its file is the policy that the file is, and changes nothing."""

import dataclasses
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from glasshouse.redaction import Redactor, known_policy, policy, policy_file
from support.deployed import ROOT

WRITER = ROOT / "dev" / "checks" / "policy_copy.py"
TEXT = policy.packaged_policy().read_text(encoding="utf-8")
HINT = "run: make policy"
KEY = b"glasshouse-test-key-0123456789abcdef"
# What only reading a policy from its file needs.
READER = ("yaml", "glasshouse.redaction.policy_file", "glasshouse.redaction.schema")


def comparable(value: Any) -> Any:
    """Return a policy as plain values, with the class of each record and patterns as their text."""
    if dataclasses.is_dataclass(value):
        fields = {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
        fields.pop("shipped", None)
        return type(value), {name: comparable(one) for name, one in fields.items()}
    if isinstance(value, tuple):
        return tuple(map(comparable, value))
    kind = type(value).__name__
    if kind in ("Pattern", "LatePattern"):
        return "pattern", value.pattern
    if kind == "EmailPattern":
        return kind, value.is_near
    return type(value), value


def test_the_file_is_what_is_read_of_the_policy() -> None:
    spec = importlib.util.spec_from_file_location("policy_copy", WRITER)
    assert spec is not None
    assert spec.loader is not None
    writer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(writer)
    assert known_policy.FILE.read_text(encoding="utf-8") == writer.known(TEXT), HINT


def test_every_record_is_the_one_that_is_read(tmp_path: Path) -> None:
    """The slow way, with every check, says the same of each rule, name and token."""
    mine = tmp_path / "rules.yaml"
    mine.write_text(f"{TEXT}# mine\n", encoding="utf-8")
    known = known_policy.read(TEXT)
    assert known is not None, HINT
    slow = policy.load(mine)
    assert (known.shipped, slow.shipped) == (True, False)
    assert len(known.rules) > 50
    assert len(known.tokens) > 400
    assert comparable(known) == comparable(slow)


def test_a_pattern_with_a_group_for_the_name_has_its_groups() -> None:
    known = known_policy.read(TEXT)
    assert known is not None, HINT
    named = [rule for rule in known.rules if rule.name_group]
    assert named
    assert all(rule.pattern.groups >= 2 for rule in named)


def test_rows_of_tokens_share_their_alphabets() -> None:
    """There are hundreds of rows, and few alphabets of up to 64 characters."""
    known = known_policy.read(TEXT)
    assert known is not None, HINT
    alphabets = [row.last.alphabet for row in known.tokens if row.last is not None]
    assert len({id(one) for one in alphabets}) == len(set(alphabets)) < len(alphabets) / 5


def test_of_another_text_nothing_is_known() -> None:
    assert known_policy.read(TEXT) is not None
    assert known_policy.read(TEXT + "\n") is None
    assert known_policy.read(TEXT.replace("max_passes: 4", "max_passes: 3")) is None


def test_of_other_fields_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    fields = known_policy._FIELDS  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setitem(fields, policy.NameWords, ("before", "after", "neutral", "more"))
    assert known_policy.read(TEXT) is None


HEAD = known_policy.FILE.read_text(encoding="utf-8").splitlines()[0]


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"{",
        b"[]",
        b"\xff",
        HEAD.encode() + b"\n",
        HEAD.encode() + b'\n"policy": {"Policy": []}}',
        HEAD.encode() + b'\n"policy": 1}',
        HEAD.encode()
        + b'\n"policy": {"Policy": [{"scheme": "none"}, {"late": 1}, {"bytes": []}]}}',
        HEAD.encode() + b'\n"other": 1}',
    ],
    ids=[
        "no file",
        "empty",
        "no JSON",
        "no map",
        "no UTF-8",
        "cut",
        "no fields",
        "no policy",
        "odd values",
        "another name",
    ],
)
def test_a_file_that_cannot_be_read_costs_time_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    file = tmp_path / "policy.json"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setattr(known_policy, "FILE", file)
    assert known_policy.read(TEXT) is None
    found = policy.load(policy.packaged_policy())
    assert found.shipped
    monkeypatch.undo()
    assert comparable(found) == comparable(policy.load(policy.packaged_policy()))


def test_what_has_no_form_is_refused_when_the_file_is_written() -> None:
    odd: Any = dataclasses.replace(
        policy_file.read(TEXT, policy.packaged_policy()), query_keys=(object(),)
    )
    with pytest.raises(TypeError, match="has no form in"):
        known_policy.write(TEXT, odd)


def test_the_file_is_read_by_people_line_by_line() -> None:
    content = known_policy.FILE.read_text(encoding="utf-8")
    assert sorted(json.loads(content)) == ["of", "policy"]
    records = policy_file.read(TEXT, policy.packaged_policy())
    assert len(content.splitlines()) > len(records.rules) + len(records.keys) + len(records.tokens)


@pytest.mark.parametrize("edit", ["", "# mine\n"], ids=["shipped", "own"])
def test_yaml_is_read_where_the_policy_is_ones_own(tmp_path: Path, edit: str) -> None:
    mine = tmp_path / "rules.yaml"
    mine.write_text(TEXT + edit, encoding="utf-8")
    code = (
        "import sys; from pathlib import Path; from glasshouse.redaction import Redactor;"
        f"made = Redactor.load(Path({str(mine)!r}), key={KEY!r});"
        "assert made.text('card 4111111111111111') == 'card [card:1111]';"
        f"print([name for name in {READER!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(list(READER) if edit else [])


def test_a_switch_leaves_out_of_either_the_same() -> None:
    off = ["email", "adafruit", "password"]
    slow = policy_file.read(TEXT, policy.packaged_policy())
    kept = policy.load(policy.packaged_policy(), off)
    assert [rule.name for rule in kept.rules] == [
        rule.name for rule in slow.rules if not {rule.name, rule.entity} & set(off)
    ]
    assert [rule.name for rule in kept.keys] == [
        rule.name for rule in slow.keys if rule.name not in off
    ]
    assert len(kept.tokens) < len(slow.tokens)
    assert Redactor.load(key=KEY, disable=off).text("mail jane@example.com") == (
        "mail jane@example.com"
    )
