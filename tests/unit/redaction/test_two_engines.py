"""The Python engine and the Collector's give the same bytes."""

import json
import random
import subprocess
from pathlib import Path
from typing import Any

from glasshouse.redaction import Redactor

ROOT = Path(__file__).parents[3]
MODULE = ROOT / "collector" / "piiprocessor"
POLICY = ROOT / "redaction" / "rules.yaml"
KEY = "glasshouse-test-key-0123456789abcdef"
COUNT = 10_000
KEYS = ("", "note", "user.password", "url.full", "http.request.header.cookie", "trace_id", "phone")
# Between values: what log lines, JSON and forms put there.
GLUE = (" ", "=", ": ", ", ", '"', "'", "&", "\n", "://", "@", "-", ".", "[", "]", "{", "}", "\\")
NOISE = "äß漢字🙂\u0301\u200b 0123456789abcdefABCDEF-_.:/@+%()[]{}=&;,'\"\\"


def piiredact(lines: list[dict[str, Any]], folder: Path, policy: Path = POLICY) -> list[Any]:
    """Send the lines through the Go engine."""
    binary, key = folder / "piiredact", folder / "key"
    key.write_text(KEY, encoding="utf-8")
    subprocess.run(
        ["go", "build", "-o", str(binary), "./cmd/piiredact"], cwd=MODULE, check=True, timeout=300
    )
    ended = subprocess.run(
        [str(binary), "-policy", str(policy), "-key-file", str(key)],
        input="".join(json.dumps(line) + "\n" for line in lines),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return [json.loads(line)["value"] for line in ended.stdout.splitlines()]


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


def generated(seed: int) -> list[dict[str, Any]]:
    """Values, near misses, JSON, form text and noise, always the same for one seed."""
    generator = random.Random(seed)  # noqa: S311 (it must be repeatable)
    texts = [text for text in corpus_texts() + vector_texts() if text and len(text) < 2000]
    lines: list[dict[str, Any]] = []
    for _ in range(COUNT):
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


def test_ten_thousand_generated_strings(redactor: Redactor, tmp_path: Path) -> None:
    lines = generated(20261125)
    theirs = piiredact(lines, tmp_path)
    assert len(theirs) == COUNT
    ours = [redactor.value(line["value"], line["key"]) for line in lines]
    different = [
        {**line, "python": mine, "go": other}
        for line, mine, other in zip(lines, ours, theirs, strict=True)
        if mine != other
    ]
    assert different == [], f"{len(different)} differ"
    # The generator does reach the rules, and leaves a good part alone.
    changed = sum(mine != line["value"] for line, mine in zip(lines, ours, strict=True))
    assert COUNT * 0.3 < changed < COUNT * 0.95


# Rules, each widened in its pattern and its triggers, and a text that only the wider rule masks.
EDITS = (
    (
        ("(?i)basic[ \\t]+(", '["asic ", "ASIC "]'),
        ("(?i)(?:basic|plain)[ \\t]+(", '["asic ", "ASIC ", "lain ", "LAIN "]'),
        ("sent plain amFuZTpzZWNyZXQ= today", "sent plain [authorization] today"),
    ),
    (
        ("(?:SK|AC)[0-9a-f]{32}", "[SK, AC]"),
        ("(?:SK|AC|#)[0-9a-f]{32}", '[SK, AC, "#"]'),
        ("key #fedcba9876543210fedcba9876543210", "key [twilio_key]"),
    ),
    (
        (r"[0-9]{2}\.[0-9]{3}\.[0-9]{3}/[0-9]{4}-[0-9]{2}", "[{digits: 14}]"),
        (r"[0-9]{2}[.:][0-9]{3}[.:][0-9]{3}[/:][0-9]{4}[-:][0-9]{2}(?:-X)?", '["-X"]'),
        ("id 12:345:678:9012:34-X", "id [national_id]"),
    ),
    (  # as long as a trace id, which no shipped rule takes
        ("'[A-Z]{4}[0-9]{2}[01][0-9][0-3][0-9][HM][A-Z]{5}[0-9A-Z][0-9]'", "[{word: 18}]"),
        ("'[0-9a-f]{32}'", "[{word: 32}]"),
        ("0123456789abcdef0123456789abcdef", "[national_id]"),
    ),
)


def test_both_engines_follow_an_edited_policy(tmp_path: Path) -> None:
    text = POLICY.read_text(encoding="utf-8")
    for old, new, _ in EDITS:
        for before, after in zip(old, new, strict=True):
            assert text.count(before) == 1, before
            text = text.replace(before, after)
    edited = tmp_path / "rules.yaml"
    edited.write_text(text, encoding="utf-8")
    inputs = [value for _, _, (value, _) in EDITS]
    expected = [masked for _, _, (_, masked) in EDITS]
    python = Redactor.load(edited, key=KEY.encode())
    assert [python.text(value) for value in inputs] == expected
    assert piiredact([{"value": value} for value in inputs], tmp_path, edited) == expected
    shipped = Redactor.load(POLICY, key=KEY.encode())
    assert [shipped.text(value) for value in inputs] == inputs  # the edit is what masks them
