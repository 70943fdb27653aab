"""The labelled corpus as the tests send it, and what must be true of it once it is stored."""

from pathlib import Path

from glasshouse_bench import corpus
from glasshouse_bench.corpus import Score

ROWS = corpus.load(Path(__file__).parent.parent / "data" / "redaction-corpus.jsonl")

# What costs most when it leaks: not one row of these.
NEVER = ("CREDIT_CARD", "IBAN", "BTC_ADDRESS")
RECALL_FLOOR = 0.99
SURVIVAL_FLOOR = 0.98

# What was stored, by surface and row.
Stored = dict[str, dict[int, str]]


def missing(stored: Stored) -> dict[str, int]:
    """Return how many rows have not arrived yet, by surface."""
    counts = {name: len(ROWS) - len(rows) for name, rows in stored.items()}
    return {name: count for name, count in counts.items() if count}


def scores(stored: Stored) -> dict[tuple[str, str], Score]:
    """Return the score by entity and gate, over all surfaces."""
    return corpus.scores(ROWS, corpus.failures(ROWS, stored))


def check_gates(stored: Stored, redaction: str) -> None:
    """Assert every gate; with redaction "off", that everything came through."""
    failed = corpus.failures(ROWS, stored)
    scored = corpus.scores(ROWS, failed)
    totals = {gate: corpus.total(scored, gate) for gate in corpus.GATES}
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
