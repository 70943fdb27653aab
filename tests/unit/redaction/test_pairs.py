"""Pairs of a name and a value in a text: what the vectors do not show."""

import random
import re
from pathlib import Path

import pytest
from tests.unit.redaction.conftest import POLICY

from glasshouse.redaction import Redactor, pair_words, pairs
from glasshouse.redaction.keys import SecretNames
from glasshouse.redaction.masks import Masks
from glasshouse.redaction.pair_names import PairNames
from glasshouse.redaction.pairs import Pairs
from glasshouse.redaction.patterns import compile_pattern
from glasshouse.redaction.policy import load
from support.engines import FRESH_SEED

ROOT = Path(__file__).parents[3]
GO_WORDS = ROOT / "collector" / "piiprocessor" / "engine" / "pair_words.go"
# The Go name of each list.
LISTS = {
    "ALGORITHMS": "isAlgorithm",
    "GIVING": "isGiving",
    "NAMED": "isNamed",
    "NOUNS": "isNoun",
    "PARSED": "isParsed",
    "READING": "isReading",
    "SENTENCES": "isSentence",
    "SOURCES": "isSource",
    "STATES": "isState",
    "TYPES": "isType",
    "UNITS": "isUnit",
    "VERBS": "isVerb",
    "WRAPPERS": "isWrapper",
    "ABOUT": "about",
    "ABOUT_THINGS": "aboutThings",
    "SECRETIVE": "secretive",
}


def go_list(name: str) -> tuple[str, ...]:
    source = GO_WORDS.read_text(encoding="utf-8")
    found = re.search(
        rf"^\t{name} +=(.*?)(?=^\t(?://|[a-zA-Z]+ +=)|^\))", source, re.DOTALL | re.MULTILINE
    )
    assert found is not None, name
    return tuple(re.findall(r'"([^"]*)"', found[1]))


@pytest.mark.parametrize("name", LISTS)
def test_both_engines_have_the_same_words(name: str) -> None:
    ours = {word.decode() for word in getattr(pair_words, name)}
    theirs = go_list(LISTS[name])
    if name.startswith("ABOUT") or name == "SECRETIVE":
        assert set(theirs) == ours
        return
    words = set("".join(theirs).split())
    if name == "SENTENCES":
        words |= {word.decode() for word in pair_words.STATES}
    assert words == ours


def spellings(name: str) -> list[str]:
    words = name.split("_")
    capitals = [word.capitalize() for word in words]
    return [
        name,
        name.upper(),
        "-".join(words),
        " ".join(words),
        "".join(words),
        words[0] + "".join(capitals[1:]),
        "my" + "".join(capitals),
        "X" + "".join(capitals),
        f"db.{name}s",
        f"http2{name}",
    ]


def test_no_text_with_a_name_is_passed_over() -> None:
    policy = load(POLICY)
    names = SecretNames(policy)
    masks = Masks(rule.mask.strip(b"[]") for rule in policy.keys)
    pairs = Pairs(names, policy.keys, masks)
    names_of_pairs = PairNames(names, policy.keys)
    known = 0
    for rule in policy.keys:
        for _, name in rule.entries:
            for spelled in spellings(name):
                text = f"?{spelled}=".encode()
                if names_of_pairs.before(text, len(text) - 1) is not None:
                    known += 1
                    assert pairs.may_be_in(text, query=False), spelled
    assert known > 1_000


@pytest.mark.parametrize("seed", [20261127, FRESH_SEED], ids=["fixed", "fresh"])
def test_names_together_find_what_each_finds_alone(seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 (it must be repeatable)
    policy = load(POLICY)
    entries = {entry for rule in policy.keys for entry in rule.entries}
    known = sorted(entry for entry in entries if entry[1].isascii())
    entries = draw.sample(known, 60)
    # Some that begin as others do.
    entries += [(place, f"{name}_id") for place, name in entries[:20]]
    alone = [compile_pattern(pairs._any_of([entry])) for entry in entries]
    together, found = compile_pattern(pairs._any_of(entries)), 0
    for _ in range(1000):
        words = draw.choice(entries)[1].split("_")
        ways = [(word, word.upper(), word.title(), word[:-1], f"{word}s") for word in words]
        name = draw.choice(("", "_", "-", " ", "x")).join(map(draw.choice, ways))
        text = draw.choice(("", "x", "X", " ", "9")) + name + draw.choice(("", "s", "X", " ", "=1"))
        expected = any(one.search(text.encode()) for one in alone)
        assert (together.search(text.encode()) is not None) is expected, (seed, text)
        found += expected
    assert 100 < found < 1000  # the control: many are found, and many are not


@pytest.mark.parametrize(
    "text",
    [
        "pool paused, 12 workers",
        "GET /compass/needle 200",
        "payment accepted by the spanner",
    ],
)
def test_ordinary_texts_are_passed_over(text: str) -> None:
    policy = load(POLICY)
    masks = Masks(rule.mask.strip(b"[]") for rule in policy.keys)
    assert not Pairs(SecretNames(policy), policy.keys, masks).may_be_in(text.encode(), query=False)


@pytest.mark.parametrize(
    "text",
    [
        "password=" + "[" * 40 + "kestrel44" + "]" * 40,
        "password=[" + "kestrel, " * 2_000,
        "password='" + "kestrel\n" * 40,
    ],
)
def test_a_bracket_or_quote_without_an_end_is_settled(redactor: Redactor, text: str) -> None:
    once = redactor.text(text)
    assert once != text
    assert redactor.text(once) == once
