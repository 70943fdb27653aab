"""Every row of the corpus on every surface, through the configuration that is deployed."""

from collections import Counter
from collections.abc import Callable

import pytest

from glasshouse_bench import corpus, surfaces
from glasshouse_bench.report import table
from support import otlp
from support.collector import Rig
from support.corpus import ROWS, Stored, check_gates, missing, scores
from support.waiting import until

BATCH = 250


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
    stored: Stored = {surface.name: {} for surface in surfaces.SURFACES}
    seen = dict.fromkeys(surfaces.LISTS, 0)

    def probe() -> tuple[Stored | None, object]:
        for signal in surfaces.LISTS:
            requests = rig.stored(signal, skip=seen[signal])
            seen[signal] += len(requests)
            for request in requests:
                for surface, row, text in surfaces.read(signal, request):
                    if row < len(ROWS):  # other tests send on these surfaces, too
                        stored[surface][row] = text
        lacking = missing(stored)
        return (None if lacking else stored), f"rows missing: {lacking}"

    return until(probe, what="every row on every surface")


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
    remark: Callable[[str, str], None],
) -> None:
    scored = scores(stored_rows)
    remark("corpus", f"redaction {redaction}, {len(stored_rows)} surfaces\n{table(scored)}")
    for gate in corpus.GATES:
        record_property(gate, f"{corpus.total(scored, gate).share:.4f}")
    check_gates(stored_rows, redaction)
