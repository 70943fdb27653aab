"""Every row of the corpus on every surface, through the configuration that is deployed."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from glasshouse_bench import corpus, surfaces
from glasshouse_bench.report import table
from support import otlp
from support.collector import Rig
from support.waiting import until

pytestmark = pytest.mark.collector

CORPUS = Path(__file__).parent.parent / "data" / "redaction-corpus.jsonl"
BATCH = 250
ROWS = corpus.load(CORPUS)

# What costs most when it leaks: not one row of these.
NEVER = {"CREDIT_CARD", "IBAN", "BTC_ADDRESS"}
RECALL_FLOOR = 0.99
SURVIVAL_FLOOR = 0.98

Stored = dict[str, dict[int, str]]


def send(rig: Rig) -> None:
    with otlp.Sender(rig.endpoint, "corpus") as sender:
        for surface in surfaces.SURFACES:
            for start in range(0, len(ROWS), BATCH):
                part = ROWS[start : start + BATCH]
                sender.entries(
                    surface.signal,
                    [surfaces.build(surface, row.number, row.text) for row in part],
                )


@pytest.fixture(scope="session")
def stored_rows(rig: Rig) -> Stored:
    """All rows on all surfaces, as they were stored, by surface and row."""
    send(rig)
    names = {surface.name for surface in surfaces.SURFACES}
    stored: Stored = {name: {} for name in names}
    seen = dict.fromkeys(surfaces.LISTS, 0)

    def probe() -> tuple[Stored | None, object]:
        for signal in surfaces.LISTS:
            requests = rig.stored(signal, skip=seen[signal])
            seen[signal] += len(requests)
            for request in requests:
                for surface, row, text in surfaces.read(signal, request):
                    if row < len(ROWS):  # other tests send on these surfaces, too
                        stored[surface][row] = text
        missing = {name: len(ROWS) - len(rows) for name, rows in stored.items()}
        missing = {name: count for name, count in missing.items() if count}
        return (None if missing else stored), f"rows missing: {missing}"

    return until(probe, what="every row on every surface", deadline_s=240)


def test_the_corpus_is_whole() -> None:
    assert Counter(row.gate for row in ROWS) == {
        "must_redact": 383,
        "must_survive": 399,
        "report_recall": 371,
        "report_precision": 215,
        "should_survive": 21,
    }


def test_what_must_go_is_gone_and_what_must_stay_is_there(
    stored_rows: Stored,
    redaction: str,
    record_property: Callable[[str, object], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    failed = corpus.failures(ROWS, stored_rows)
    scored = corpus.scores(ROWS, failed)
    with capsys.disabled():
        print(f"\nredaction {redaction}, {len(stored_rows)} surfaces\n{table(scored)}")  # noqa: T201
    totals = {gate: corpus.total(scored, gate) for gate in corpus.GATES}
    for gate, score in totals.items():
        record_property(gate, f"{score.share:.4f}")
    if redaction == "off":
        # The positive control: what was sent is what is found.
        assert totals["must_redact"].passed == totals["report_recall"].passed == 0
        assert totals["must_survive"].share == totals["report_precision"].share == 1
        return
    lost = {name: {row.text for row in rows} for name, rows in failed.items()}
    for entity in NEVER:
        assert scored[entity, "must_redact"].share == 1, (entity, lost)
    assert totals["must_redact"].share >= RECALL_FLOOR, lost
    assert totals["must_survive"].share == 1, lost
    assert totals["should_survive"].share >= SURVIVAL_FLOOR, lost
