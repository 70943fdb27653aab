"""The Python engine and the Collector's give the same bytes."""

import json
import random
from typing import Any

import pytest

from glasshouse.redaction import Redactor
from support.engines import FRESH_SEED, ROOT, differences, piiredact

KEYS = ("", "note", "user.password", "url.full", "http.request.header.cookie", "trace_id", "phone")
# Between values: what log lines, JSON and forms put there.
GLUE = (" ", "=", ": ", ", ", '"', "'", "&", "\n", "://", "@", "-", ".", "[", "]", "{", "}", "\\")
NOISE = "äß漢字🙂\u0301\u200b 0123456789abcdefABCDEF-_.:/@+%()[]{}=&;,'\"\\"


def corpus_texts() -> list[str]:
    path = ROOT / "tests" / "data" / "redaction-corpus.jsonl"
    return [json.loads(line)["text"] for line in path.read_text(encoding="utf-8").splitlines()]


def vector_texts() -> list[str]:
    path = ROOT / "redaction" / "vectors.jsonl"
    values = [json.loads(line).get("value") for line in path.read_text("utf-8").splitlines()]
    return [value for value in values if isinstance(value, str)]


def mutated(generator: random.Random, text: str) -> str:
    """Change a few characters: near misses."""
    characters = list(text)
    for _ in range(generator.randint(1, 3)):
        at = generator.randrange(len(characters) + 1)
        match generator.randrange(3):
            case 0:
                characters.insert(at, generator.choice(NOISE))
            case 1 if characters:
                characters[at % len(characters)] = generator.choice(NOISE)
            case _ if characters:
                del characters[at % len(characters)]
            case _:
                pass
    return "".join(characters)


def generated(seed: int, count: int) -> list[dict[str, Any]]:
    """Values, near misses, JSON, form text and noise, always the same for one seed."""
    generator = random.Random(seed)  # noqa: S311 (it must be repeatable)
    texts = [text for text in corpus_texts() + vector_texts() if text and len(text) < 2000]
    lines: list[dict[str, Any]] = []
    for _ in range(count):
        first, second = generator.choice(texts), generator.choice(texts)
        match generator.randrange(6):
            case 0:
                value = first + generator.choice(GLUE) + second
            case 1:
                value = mutated(generator, first)
            case 2:
                value = json.dumps(
                    {generator.choice(KEYS) or "k": first, "list": [second, 1, None]}
                )
            case 3:
                value = f"user={first}&token={second}"
            case 4:
                value = "".join(generator.choices(NOISE, k=generator.randint(1, 60)))
            case _:
                value = json.dumps({"payload": json.dumps({"note": first})})
        lines.append({"key": generator.choice(KEYS), "value": value})
    return lines


@pytest.mark.parametrize(("seed", "count"), [(20261125, 7500), (0, 2500)], ids=["fixed", "fresh"])
def test_ten_thousand_generated_strings(redactor: Redactor, seed: int, count: int) -> None:
    lines = generated(seed or FRESH_SEED, count)
    theirs = piiredact(lines)
    assert len(theirs) == count
    ours = [redactor.value(line["value"], line["key"]) for line in lines]
    different = differences(lines, ours, theirs)
    assert different == [], f"{len(different)} differ, seed {seed or FRESH_SEED}"
    twice = [redactor.value(mine, line["key"]) for line, mine in zip(lines, ours, strict=True)]
    assert differences(lines, ours, twice) == [], f"seed {seed or FRESH_SEED}"
    # The generator does reach the rules, and leaves a good part alone.
    changed = sum(mine != line["value"] for line, mine in zip(lines, ours, strict=True))
    assert count * 0.3 < changed < count * 0.95
