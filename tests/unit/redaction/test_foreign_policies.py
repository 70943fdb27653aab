"""Policies that nobody here has seen, with values of every type: the engines agree."""

import base64
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.redaction.test_two_engines import KEYS, corpus_texts, mutated, vector_texts

from glasshouse.redaction import Redactor
from support import policies
from support.engines import (
    FRESH_SEED,
    KEY,
    SEED_VARIABLE,
    Line,
    differences,
    piiredact,
)

COUNT = 400
# Of the texts, under a policy at random; under the shipped one it is none.
MOST_UNSETTLED = 0.01
NUMBERS = (
    "4111111111111111",
    "5500005555555559",
    "14155552671",
    "203.0.113.7",
    "10.0.0.1",
    "078051121",
    "999999",
    "1000000",
    "9007199254740993",
)


def to_otlp(value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case bytes():
            return {"bytesValue": base64.b64encode(value).decode()}
        case list():
            return {"arrayValue": {"values": [to_otlp(item) for item in value]}}
        case dict():
            items = [{"key": key, "value": to_otlp(item)} for key, item in value.items()]
            return {"kvlistValue": {"values": items}}
        case None:
            return {}
        case _:
            return {"stringValue": value}


def from_otlp(value: dict[str, Any]) -> Any:
    for kind, content in value.items():
        match kind:
            case "intValue":
                return int(content)
            case "doubleValue":
                return float(content)
            case "bytesValue":
                return base64.b64decode(content)
            case "arrayValue":
                return [from_otlp(item) for item in content.get("values", [])]
            case "kvlistValue":
                items = content.get("values", [])
                return {item["key"]: from_otlp(item["value"]) for item in items}
            case _:
                return content
    return None


class Values:
    """Values of every type, always the same for one seed."""

    def __init__(self, generator: random.Random) -> None:
        self._generator = generator
        self._texts = [text for text in corpus_texts() + vector_texts() if text and len(text) < 500]
        self._texts += [policies.mark(place) for place in range(80)]

    def text(self) -> str:
        generator = self._generator
        text = generator.choice(self._texts)
        if generator.random() < 0.3:
            text = mutated(generator, text)
        if generator.random() < 0.3:
            text = f"{generator.choice(policies.WORDS)} {text}"
        return text

    def value(self, depth: int = 0) -> Any:
        generator = self._generator
        match generator.randrange(10 if depth < 3 else 7):
            case 0:
                return generator.choice((True, False, None, "", 0))
            case 1:
                digits = "".join(filter(str.isdigit, generator.choice(NUMBERS)))
                return int(digits) + generator.choice((0, 0, 1)) - generator.choice((0, 2 * 10**15))
            case 2:
                number = float("".join(filter(str.isdigit, generator.choice(NUMBERS))))
                return number + generator.choice((0.0, 0.0, 0.5, 1e20, -(10.0**10)))
            case 3:
                return self.text().encode()
            case 4:
                return bytes(generator.randrange(256) for _ in range(4)) + self.text().encode()
            case 7:
                return [self.value(depth + 1) for _ in range(generator.randrange(4))]
            case 8 | 9:
                return {
                    generator.choice(KEYS) or "k": self.value(depth + 1)
                    for _ in range(generator.randrange(4))
                }
            case _:
                return self.text()


def run(seed: int, folder: Path) -> None:
    generator = random.Random(seed)  # noqa: S311 (it must be repeatable)
    document, switches = policies.at_random(generator)
    policy = policies.written(document, folder / "rules.yaml")
    values = Values(generator)
    lines: list[Line] = [
        {"key": generator.choice(KEYS), "value": values.value()} for _ in range(COUNT)
    ]
    redactor = Redactor.load(policy, key=KEY.encode(), **switches)
    ours = [redactor.value(line["value"], line["key"]) for line in lines]
    options = ["-disable", ",".join(switches["disable"])] if switches["disable"] else []
    if switches["mask_private_ips"]:
        options.append("-mask-private-ips")

    def collector(of: list[Any]) -> list[Any]:
        sent = [
            {"key": line["key"], "otlp": to_otlp(value)}
            for line, value in zip(lines, of, strict=True)
        ]
        return [from_otlp(value) for value in piiredact(sent, policy, options=options)]

    again = f"seed {seed}: again with {SEED_VARIABLE}={seed}"
    theirs = collector([line["value"] for line in lines])
    assert differences(lines, ours, theirs) == [], again
    twice = [redactor.value(value, line["key"]) for line, value in zip(lines, ours, strict=True)]
    # A policy at random may have rules that move with each pass: such a text never settles.
    unsettled = differences(lines, ours, twice)
    assert len(unsettled) <= COUNT * MOST_UNSETTLED, f"{again}: {unsettled}"
    assert differences(lines, twice, collector(ours)) == [], again


@pytest.mark.parametrize("seed", range(6))
def test_the_engines_agree(tmp_path: Path, seed: int) -> None:
    run(seed, tmp_path)


@pytest.mark.parametrize("more", range(4))
def test_the_engines_agree_on_what_is_new_each_time(
    tmp_path: Path, remark: Callable[[str, str], None], more: int
) -> None:
    remark("seeds", f"policies of strangers: {FRESH_SEED + more}")
    run(FRESH_SEED + more, tmp_path)


@pytest.mark.parametrize(
    ("pair", "redacted"),
    [
        ([b"password", "hunter2 secret"], [b"password", "[password]"]),
        # Bytes that are no text are no name; as a value they are one that is no text.
        ([b"\xffpassword", "hunter2 secret"], [b"\xffpassword", "hunter2 secret"]),
        (["password", b"\xffhunter2"], ["password", "[password]"]),
    ],
    ids=["text", "name", "value"],
)
def test_the_engines_read_a_name_in_bytes_alike(pair: list[Any], redacted: list[Any]) -> None:
    of = {"note": [pair]}
    (theirs,) = piiredact([{"key": "", "otlp": to_otlp(of)}])
    ours = Redactor.load(policies.POLICY, key=KEY.encode()).value(of)
    assert ours == from_otlp(theirs) == {"note": [redacted]}
