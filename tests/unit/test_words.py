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
    r"data'?s?[ _]way": "data flow",
    r"tells?|told|telling": "notify, report, return or distinguish",
    r"hears?|heard": "receive",
    r"(?:is|are|was|were|be|been|chain|while) away": "unavailable",
    r"(?<!as )well(?! as\b| under\b| below\b|[-_])": "healthy",
    r"for ever": "indefinitely, or for good",
    r"dice": "random generator",
    r"made[- ]up": "synthetic, or example",
    r"outside world": "external or fake services",
    r"look(?:s|ed|ing)? at": "check, read, poll or search",
    r"mend(?:s|ed|ing)?": "fix",
    r"suffers?|suffered": "apply a fault",
}
# Held to it: grows until it is the whole tree.
CLEAN = (
    "Makefile",
    "README.md",
    "alertmanager",
    "dev",
    "docker-compose.yml",
    "docs",
    "grafana",
    "instrumentation/README.md",
    "loki",
    "prometheus",
    "pyproject.toml",
    "runbooks",
    "service/README.md",
    "tempo",
    "tests/chaos",
    "tests/conftest.py",
    "tests/e2e",
    "tests/integration",
    "tests/support",
    "tests/unit/cli",
    "tests/unit/fakes",
    "tests/unit/instrumentation",
    "tests/unit/loadgen",
    "tests/unit/oddities",
)
# (path, word): Loki's own name for how its processes find each other.
ALLOWED = {("loki/loki.yaml", "ring")}
SUFFIXES = {".md", ".py", ".sh", ".toml", ".yaml", ".yml", ""}
# A line's end with the next line's indent and comment sign: phrases are found across lines.
_BREAK = re.compile(r"\s*\n\s*(?:#|//|\*|>)?\s*")
_WORDS = {
    re.compile(rf"(?<![A-Za-z])(?:{word})(?![A-Za-z])", re.IGNORECASE): instead
    for word, instead in BANNED.items()
}


def files(path: Path) -> Iterator[Path]:
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        hidden = any(part.startswith(".") for part in file.relative_to(ROOT).parts)
        if file.is_file() and file.suffix in SUFFIXES and not hidden:
            yield file


def banned(text: str) -> Iterator[tuple[str, str]]:
    """Yield each banned word of a text, and it between its neighbours with what to write."""
    joined = _BREAK.sub(" ", text)
    for word, instead in _WORDS.items():
        for found in word.finditer(joined):
            around = joined[max(0, found.start() - 40) : found.end() + 40]
            yield found[0].lower(), f"'…{around}…': write {instead}"


@pytest.mark.parametrize("path", CLEAN)
def test_only_the_field_s_terms_are_used(path: str) -> None:
    assert (ROOT / path).exists()
    faults = [
        f"{name}: {line}"
        for file in files(ROOT / path)
        for name in [file.relative_to(ROOT).as_posix()]
        for word, line in banned(f"{file.stem} {file.read_text(encoding='utf-8')}")
        if (name, word) not in ALLOWED
    ]
    assert faults == []


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("the stack ring", "ring"),
        ("def test_it_is_told():", "told"),
        ("# retried for\n    # ever", "for ever"),
        ("while Loki is\naway", "is away"),
        ("all is well.", "well"),
    ],
)
def test_a_banned_word_is_found(text: str, word: str) -> None:
    assert [found for found, _ in banned(text)] == [word]


@pytest.mark.parametrize(
    "text",
    ["a string during boring work", "this as well", "as well as that", "well-formed", "until"],
)
def test_what_only_contains_a_banned_word_is_not_found(text: str) -> None:
    assert list(banned(text)) == []
