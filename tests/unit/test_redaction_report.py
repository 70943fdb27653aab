"""The measurement itself: every surface gives back what was put there, rows are judged right."""

import json

import pytest

from glasshouse_bench import corpus, report, surfaces
from glasshouse_bench.corpus import Row


@pytest.mark.parametrize("surface", surfaces.SURFACES, ids=lambda surface: surface.name)
def test_what_is_put_on_a_surface_is_read_from_it(surface: surfaces.Surface) -> None:
    entry = json.loads(json.dumps(surfaces.build(surface, 7, "some text")))
    resources = surfaces.LISTS[surface.signal][0]
    assert list(surfaces.read(surface.signal, {resources: [entry]})) == [
        (surface.name, 7, "some text")
    ]


def test_no_two_surfaces_have_one_name() -> None:
    assert len({surface.name for surface in surfaces.SURFACES}) == len(surfaces.SURFACES)


def row(number: int, gate: str, text: str, *values: str) -> Row:
    return Row(number=number, text=text, values=values, entity="CARD", gate=gate)


ROWS = (
    row(0, "must_redact", "pay 4111", "4111"),
    row(1, "must_redact", "pay 5500", "5500"),
    row(2, "must_survive", "order 12"),
    row(3, "must_survive", "order 13"),
)
STORED = {
    "log.body": {0: "pay [card]", 1: "pay [card]", 2: "order 12", 3: "order 13"},
    "span.name": {0: "pay [card]", 1: "pay 5500", 2: "order 12", 3: "order  13"},
}


def test_a_row_passes_only_if_it_does_on_every_surface() -> None:
    failed = corpus.failures(ROWS, STORED)
    assert {name: [one.number for one in rows] for name, rows in failed.items()} == {
        "span.name": [1, 3]
    }
    scored = corpus.scores(ROWS, failed)
    assert {key: (score.passed, score.rows) for key, score in scored.items()} == {
        ("CARD", "must_redact"): (1, 2),
        ("CARD", "must_survive"): (1, 2),
    }
    document = report.as_json(scored, failed, 2)
    assert document["gates"]["must_redact"] == 0.5
    assert document["failed"] == {"span.name": [1, 3]}
    assert report.table(scored).splitlines()[1].split() == [
        "CARD", "1/2", "50.0%", "-", "1/2", "50.0%", "-", "-",
    ]  # fmt: skip
