"""Names of values: what counts as secret or personal, and what only looks like it.

Each test sends its values through both engines and holds them to the same result.
"""

import json
import random

import yaml

from glasshouse.redaction import Redactor
from glasshouse_bench.unseen import conventions
from support.engines import ROOT, both

DATA = ROOT / "tests" / "data"
# Nothing in it is sensitive by itself.
VALUE = "Zq7 marker"


def test_of_the_semantic_conventions_only_what_is_personal_changes() -> None:
    path = DATA / "semantic-conventions.jsonl"
    head, *rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert head["licence"] == "Apache-2.0"
    lines = [{"key": row["name"], "value": value} for row in rows for value in row["examples"]]
    assert len(rows) > 800
    changed = {
        line["key"]
        for line, after in zip(lines, both(lines), strict=True)
        if after != line["value"]
    }
    assert changed == conventions.PERSONAL.keys()


def names(kind: str) -> list[str]:
    groups = yaml.safe_load((DATA / "key-names.yaml").read_text(encoding="utf-8"))[kind]
    return [name for group in groups.values() for name in group]


def test_a_sensitive_name_hides_any_value() -> None:
    lines = [{"key": name, "value": VALUE} for name in names("sensitive")]
    assert len(lines) > 300
    after = both(lines)
    left = [line["key"] for line, value in zip(lines, after, strict=True) if value == VALUE]
    assert left == []


def test_a_name_that_looks_alike_hides_nothing() -> None:
    lines = [{"key": name, "value": VALUE} for name in names("ordinary")]
    assert len(lines) > 300
    after = both(lines)
    gone = [line["key"] for line, value in zip(lines, after, strict=True) if value != VALUE]
    assert gone == []


PIECES = (
    *("user", "id", "ids", "password", "pass", "token", "first", "has", "reset", "value", "raw"),
    *("customer", "name", "address", "line", "key", "openai", "secret", "count", "session", "iban"),
    *("card", "number", "mobile", "build", "db", "query", "parameter", "Mot", "De", "Passe"),
    *(
        "contraseña",
        "ПАРОЛЬ",
        "密码",
        "\uff29\uff24",
        "e\u0301",
        "\u200b",
        "\u00d7",
        "7",
        "12",
        "URL",
        "IDs",
    ),
    *("44051401359", "jane@example.com", "4111111111111111", "[card:1111]", "[x]"),
)
JOINTS = ("", "_", ".", "-", " ", "", "[", "]", "=", ": ")


def random_name(generator: random.Random) -> str:
    name = ""
    for _ in range(generator.randint(1, 6)):
        piece = generator.choice(PIECES)
        change = generator.choice((str, str, str.upper, str.title))
        name += change(piece) + generator.choice(JOINTS)
    return name


def test_redacting_a_map_twice_is_redacting_it_once(redactor: Redactor) -> None:
    seed = random.SystemRandom().getrandbits(32)
    generator = random.Random(seed)  # noqa: S311 (its seed is printed, so that it can be repeated)
    values = (VALUE, "7", 7, 4111111111111111, "0123456789abcdef", ["a", 5], {"name": "b"})
    lines = [
        {"key": "", "value": {random_name(generator): generator.choice(values)}}
        for _ in range(2_000)
    ]
    once = both(lines)
    twice = [redactor.value(value) for value in once]
    assert [(a, b) for a, b in zip(once, twice, strict=True) if a != b] == [], f"seed {seed}"
    assert sum(after != line["value"] for line, after in zip(lines, once, strict=True)) > 500
