"""A text in which one rule finds too much goes whole, in both engines alike."""

import json
from pathlib import Path
from typing import Any

import pytest

from glasshouse.redaction import Redactor
from support.engines import both
from support.policies import shipped, written

MOST = 3
# Found by a pattern, the search for addresses, a name and its value, the table of tokens.
KINDS = {
    "card": "4111 1111 1111 1111, ",
    "address": "jane@example.com ",
    "address beyond ascii": "é@example.com ",
    "pair": "password=hunter2x ",
    "token": "ghp_0123456789abcdefghijklmnopqrstuvwxyz ",
}


def policy(path: Path, most: int | None) -> Path:
    document: dict[str, Any] = shipped()
    del document["limits"]["max_hits"]
    if most is not None:
        document["limits"]["max_hits"] = most
    return written(document, path / "rules.yaml")


@pytest.mark.parametrize("kind", KINDS)
def test_one_more_than_allowed_is_too_much(tmp_path: Path, kind: str) -> None:
    one = KINDS[kind]
    lines = [{"value": one * count} for count in (MOST, MOST + 1, MOST + 9)]
    lines.append({"value": json.dumps({"a": one * MOST, "b": one * (MOST + 1), "c": "plain"})})
    lines.append({"value": f"{one * MOST} 203.0.113.7"})
    allowed, *more, document, other = both(lines, policy(tmp_path, MOST))
    assert allowed.count("[") == MOST
    assert more == ["[unchecked]", "[unchecked]"]
    members = json.loads(document)
    assert members["a"].count("[") == MOST
    assert members["b"] == "[unchecked]"
    assert members["c"] == "plain"
    assert other.endswith("[ip:203.0.113.*]")


def test_what_holds_where_a_policy_does_not_say(tmp_path: Path) -> None:
    lines = [{"value": KINDS["address"] * count} for count in (2000, 2001)]
    for path in (policy(tmp_path, None), policy(tmp_path, 2000)):
        allowed, more = both(lines, path)
        assert allowed.count("[email:") == 2000
        assert more == "[unchecked]"


def test_each_is_counted(tmp_path: Path) -> None:
    counted: list[None] = []
    redactor = Redactor.load(
        policy(tmp_path, MOST), key=b"a" * 16, unchecked=lambda: counted.append(None)
    )
    for _ in range(2):
        redactor.text(KINDS["pair"] * (MOST + 1))
    assert len(counted) == 2


def test_arguments_of_a_command_have_no_bound(tmp_path: Path) -> None:
    items = ["--password", "hunter2x"] * (MOST + 2)
    (redacted,) = both([{"value": items}], policy(tmp_path, MOST))
    assert redacted[1::2] == ["[password]"] * (MOST + 2)
