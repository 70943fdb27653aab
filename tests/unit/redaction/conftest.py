"""One redactor for all tests of the engine, with the key of the vectors."""

import json
from pathlib import Path
from typing import Any

import pytest

from glasshouse.redaction import Redactor

ROOT = Path(__file__).parents[3]
POLICY = ROOT / "redaction" / "rules.yaml"
KEY = b"glasshouse-test-key-0123456789abcdef"


def vectors() -> list[dict[str, Any]]:
    text = (ROOT / "redaction" / "vectors.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="session")
def redactor() -> Redactor:
    return Redactor.load(POLICY, key=KEY)
