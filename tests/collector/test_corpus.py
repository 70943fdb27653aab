"""Every gated row of the corpus, as a log body and as a span attribute."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support import otlp
from support.collector import Rig
from support.waiting import until

pytestmark = pytest.mark.collector

CORPUS = Path(__file__).parent.parent / "data" / "redaction-corpus.jsonl"
BATCH = 100

# Over all entities; those that cost most when they leak have a floor of 1.
RECALL_FLOOR = 0.99
BROKEN_CEILING = 0


@dataclass(frozen=True, kw_only=True)
class Row:
    number: int
    text: str
    values: tuple[str, ...]
    entity: str
    gate: str


def rows() -> list[Row]:
    gated: list[Row] = []
    with CORPUS.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            row = json.loads(line)
            if row["gate"] in ("must_redact", "must_survive"):
                gated.append(
                    Row(
                        number=number,
                        text=row["text"],
                        values=tuple(row["values"]),
                        entity=row["entity"],
                        gate=row["gate"],
                    )
                )
    return gated


def leaked(row: Row, stored: str) -> bool:
    """A positive leaks when any of its values, as it was sent, is still there."""
    return any(value in stored for value in row.values)


def attributes_of(item: dict[str, Any]) -> dict[str, Any]:
    return {entry["key"]: next(iter(entry["value"].values()), "") for entry in item["attributes"]}


def send(rig: Rig, corpus: list[Row]) -> None:
    sender = otlp.Sender(rig.endpoint, "corpus")
    for start in range(0, len(corpus), BATCH):
        part = corpus[start : start + BATCH]
        sender.logs(otlp.log(row.text, {"row": row.number}) for row in part)
        sender.spans(otlp.span("row", {"row": row.number, "text": row.text}) for row in part)
    sender.close()


def received(rig: Rig, corpus: list[Row], surface: str) -> dict[int, str]:
    """Wait for every row on one surface; return what was stored by row number."""

    def probe() -> tuple[dict[int, str] | None, object]:
        if surface == "log body":
            stored = {
                int(attributes_of(record)["row"]): record["body"].get("stringValue", "")
                for record in rig.log_records()
                if record.get("attributes") and "row" in attributes_of(record)
            }
        else:
            stored = {
                int(attributes_of(span)["row"]): attributes_of(span)["text"]
                for span in rig.spans()
                if span.get("attributes") and "row" in attributes_of(span)
            }
        return (stored if len(stored) == len(corpus) else None), f"{len(stored)} rows"

    return until(probe, what=f"all {len(corpus)} rows as {surface}", deadline_s=90)


@pytest.fixture(scope="session")
def stored_rows(rig: Rig) -> tuple[list[Row], dict[str, dict[int, str]]]:
    corpus = rows()
    send(rig, corpus)
    return corpus, {
        surface: received(rig, corpus, surface) for surface in ("log body", "span attribute")
    }


def test_the_corpus_is_whole() -> None:
    assert Counter(row.gate for row in rows()) == {"must_redact": 383, "must_survive": 399}


@pytest.mark.parametrize("surface", ["log body", "span attribute"])
def test_recall_and_broken_rows(
    stored_rows: tuple[list[Row], dict[str, dict[int, str]]],
    surface: str,
    redaction: str,
    record_property: Callable[[str, object], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    corpus, by_surface = stored_rows
    stored = by_surface[surface]
    positives = [row for row in corpus if row.gate == "must_redact"]
    negatives = [row for row in corpus if row.gate == "must_survive"]
    leaks = [row for row in positives if leaked(row, stored[row.number])]
    broken = [row for row in negatives if stored[row.number] != row.text]
    recall = 1 - len(leaks) / len(positives)
    record_property("recall", f"{recall:.4f}")
    record_property("broken", len(broken))
    with capsys.disabled():
        print(  # noqa: T201  # the figures are what this test is run for
            f"\n{surface}, redaction {redaction}: recall {recall:.1%} of {len(positives)}, "
            f"{len(broken)} of {len(negatives)} benign rows broken; "
            f"leaks {dict(Counter(row.entity for row in leaks))}, "
            f"broken {dict(Counter(row.entity for row in broken))}"
        )
    if redaction == "off":
        # The positive control: what was sent is what is found.
        assert recall == 0
        assert not broken
    else:
        assert recall >= RECALL_FLOOR
        assert len(broken) <= BROKEN_CEILING
