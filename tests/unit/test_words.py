"""Code, configuration and docs use the field's terms (glossary in CONTRIBUTING.md)."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# What is not written: what is written in its place.
BANNED = {
    r"rooms?": "component",
    r"rings?": "test level, or harness",
    r"data'?s? way": "data flow",
    r"tells?|told|telling": "notify, report, return or distinguish",
    r"hears?|heard": "receive",
    r"(?:is|are|was|were|be|been|chain|while) away": "unavailable",
    r"(?<!as )well(?! as\b| under\b| below\b| formed\b|-)": "healthy",
    r"for ever": "indefinitely, or for good",
    r"dice": "random generator",
    r"made[- ]up": "synthetic, or example",
    r"outside world": "external or fake services",
    r"look(?:s|ed|ing)? at": "check, read, poll or search",
    r"mend(?:s|ed|ing)?": "fix",
    r"suffers?|suffered": "apply a fault",
}
# Not held to it: code that the Collector's builder generates, copies, and what lists the words.
LEFT_OUT = (
    "CONTRIBUTING.md",
    "collector/distribution/",
    "collector/ocb/",
    "deploy/chart/files/",
    "dev/bench/collector/distribution/",
    "grafana/preview/node_modules/",
    "tests/unit/test_words.py",
)
# (path, word): Loki's own name for how its processes find each other.
_COPY = "instrumentation/src/glasshouse/testing/containers/files/loki.yaml"
ALLOWED = {
    ("loki/loki.yaml", "ring"),
    ("deploy/loki/loki.yaml", "ring"),
    ("dev/bench/src/glasshouse_bench/scale/backends.py", "ring"),
    ("deploy/tempo/tempo.yaml", "ring"),
    ("tests/unit/test_deploy_backends.py", "ring"),
    (_COPY, "ring"),
}
SUFFIXES = {".case", ".go", ".md", ".py", ".sh", ".sql", ".toml", ".yaml", ".yml"}
NAMES = {".env", "Dockerfile", "Makefile"}
TOP = sorted(
    path.name
    for path in ROOT.iterdir()
    if not path.name.startswith(".") or path.name in {".env", ".github"}
)
# A line's end with the next line's indent and comment sign: phrases are found across lines.
_BREAK = re.compile(r"\s*\n\s*(?:#|//|\*|>)?\s*")
# Where one word of a name ends and the next begins: test_it_is_read, itIsRead.
_SEAM = re.compile(r"(?<=[A-Za-z0-9])_(?=[A-Za-z0-9])|(?<=[a-z0-9])(?=[A-Z])")
_WORDS = {
    re.compile(rf"(?<![A-Za-z])(?:{word})(?![A-Za-z])", re.IGNORECASE): instead
    for word, instead in BANNED.items()
}


def files(path: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files that are held to it, with their names from the root."""
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        name = file.relative_to(ROOT).as_posix()
        held = file.suffix in SUFFIXES or file.name in NAMES
        if file.is_file() and held and not name.startswith(LEFT_OUT):
            yield name, file


def banned(text: str) -> Iterator[tuple[str, str]]:
    """Yield each banned word of a text, and it between its neighbours with what to write."""
    joined = _SEAM.sub(" ", _BREAK.sub(" ", text))
    for word, instead in _WORDS.items():
        for found in word.finditer(joined):
            around = joined[max(0, found.start() - 40) : found.end() + 40]
            yield found[0].lower(), f"'…{around}…': write {instead}"


@pytest.mark.parametrize("top", TOP)
def test_only_the_field_s_terms_are_used(top: str) -> None:
    faults = [
        f"{name}: {line}"
        for name, file in files(ROOT / top)
        for word, line in banned(f"{file.stem} {file.read_text(encoding='utf-8')}")
        if (name, word) not in ALLOWED
    ]
    assert faults == []


@pytest.mark.parametrize(("path", "word"), sorted(ALLOWED))
def test_an_exception_is_still_needed(path: str, word: str) -> None:
    assert word in {found for found, _ in banned((ROOT / path).read_text(encoding="utf-8"))}


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("the stack ring", "ring"),
        ("def test_it_is_told():", "told"),
        ("def test_it_is_away():", "is away"),
        ("func (s *server) hasRoom() bool", "room"),
        ("# retried for\n    # ever", "for ever"),
        ("while Loki is\naway", "is away"),
        ("all is well.", "well"),
    ],
)
def test_a_banned_word_is_found(text: str, word: str) -> None:
    assert [found for found, _ in banned(text)] == [word]


@pytest.mark.parametrize(
    "text",
    [
        "a string during boring work",
        "this as well",
        "as well as that",
        "well-formed",
        "wellFormed",
        "until",
    ],
)
def test_what_only_contains_a_banned_word_is_not_found(text: str) -> None:
    assert list(banned(text)) == []
