"""Every vector, byte for byte, and once more: redacting twice gives the same as once."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from glasshouse.redaction import Redactor

ROOT = Path(__file__).parents[3]
VECTORS = [
    json.loads(line)
    for line in (ROOT / "redaction" / "vectors.jsonl").read_text(encoding="utf-8").splitlines()
]
CORPUS = [
    json.loads(line)
    for line in (ROOT / "tests" / "data" / "redaction-corpus.jsonl")
    .read_text(encoding="utf-8")
    .splitlines()
]


def treat(redactor: Redactor, vector: dict[str, Any], value: Any) -> Any:
    key = vector.get("key", "")
    if "bytes" in vector:
        return base64.b64encode(redactor.value(base64.b64decode(value), key)).decode()
    return redactor.value(value, key)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_a_vector(redactor: Redactor, vector: dict[str, Any]) -> None:
    value = vector["bytes"] if "bytes" in vector else vector["value"]
    once = treat(redactor, vector, value)
    assert once == vector["expected"]
    assert treat(redactor, vector, once) == once


def gated(gate: str) -> list[dict[str, Any]]:
    return [row for row in CORPUS if row["gate"] == gate]


def test_the_corpus_keeps_to_its_gates(redactor: Redactor) -> None:
    leaked: list[tuple[str, str]] = []
    for row in gated("must_redact"):
        shown = redactor.text(row["text"])
        if any(value in shown for value in row["values"]):
            leaked.append((row["entity"], row["text"]))
    strict = {"card", "iban", "secret", "token"}
    assert [entity for entity, _ in leaked if entity in strict] == []
    assert len(leaked) <= 0.01 * len(gated("must_redact")), leaked
    broken = [
        row["text"] for row in gated("must_survive") if redactor.text(row["text"]) != row["text"]
    ]
    assert broken == []
    soft = gated("should_survive")
    kept = sum(redactor.text(row["text"]) == row["text"] for row in soft)
    assert kept >= 0.98 * len(soft)
