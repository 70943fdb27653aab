"""Texts as logs and URLs encode them: both engines give the same bytes, once and twice."""

import random
from collections.abc import Callable

import pytest
from tests.unit.redaction.test_two_engines import corpus_texts, vector_texts

from glasshouse.redaction import Redactor
from support.engines import FRESH_SEED, differences, piiredact

KEYS = ("", "note", "user.email", "url.query")
# What stands in a text by itself, or begins something and does not end it.
STRAY = (
    *("\\n", "\\\\t", "#012", "\x1b[1m", "\\x1b[0m", "&nbsp;", "&lt;", "%", "\\", "&", "#", "%25"),
    *("\\u", "\\ud83d", "\u3002", "\u200b", '"', "\\u0022", "'"),
)
LOOK_ALIKES = {".": "\u3002", " ": "\u00a0", "-": "\u2011", "@": "\uff20", ":": "\uff1a"}


def each_byte(form: str) -> Callable[[str], str]:
    return lambda character: "".join(form % byte for byte in character.encode())


def wide(character: str) -> str:
    return chr(ord(character) + 0xFEE0) if "!" <= character <= "~" else character


FORMS: tuple[Callable[[str], str], ...] = (
    each_byte("%%%02X"),
    each_byte("%%25%02x"),
    each_byte("\\x%02x"),
    lambda character: f"\\u{ord(character) & 0xFFFF:04x}",
    lambda character: f"\\\\u{ord(character) & 0xFFFF:04x}",
    lambda character: f"&#{ord(character)};",
    lambda character: f"&amp;#x{ord(character):x};",
    wide,
    lambda character: f"{character}\u00ad",
    lambda character: LOOK_ALIKES.get(character, character),
    lambda character: chr(0x660 + int(character)) if "0" <= character <= "9" else character,
)


def disguised(generator: random.Random, text: str) -> str:
    share = generator.choice((0.02, 0.1, 0.5))
    out: list[str] = []
    for character in text:
        if generator.random() >= share:
            out.append(character)
        elif generator.random() < 0.1:
            out += (generator.choice(STRAY), character)
        else:
            out.append(generator.choice(FORMS)(character))
    return "".join(out)


@pytest.mark.parametrize(("seed", "count"), [(20261126, 2000), (0, 500)], ids=["fixed", "fresh"])
def test_disguised_texts(redactor: Redactor, seed: int, count: int) -> None:
    chosen = seed or FRESH_SEED
    generator = random.Random(chosen)  # noqa: S311 (it must be repeatable)
    texts = [text for text in corpus_texts() + vector_texts() if text and len(text) < 300]
    lines = [
        {"key": generator.choice(KEYS), "value": disguised(generator, generator.choice(texts))}
        for _ in range(count)
    ]
    ours = [redactor.value(line["value"], line["key"]) for line in lines]
    assert differences(lines, ours, piiredact(lines)) == [], f"seed {chosen}"
    twice = [redactor.value(mine, line["key"]) for line, mine in zip(lines, ours, strict=True)]
    assert differences(lines, ours, twice) == [], f"seed {chosen}"
    changed = sum(mine != line["value"] for line, mine in zip(lines, ours, strict=True))
    assert count * 0.2 < changed < count * 0.8
