"""Every row there is."""

from collections.abc import Iterator

from support.oddities import anywhere, logs, metrics, rows, traces
from support.oddities.rows import Row
from support.oddities.schema import Schema, current


def all_rows(schema: Schema | None = None) -> tuple[Row, ...]:
    """Return the rows of a version of OTLP; of the installed one when none is given."""
    schema = schema or current()
    found = [*rows.generated(schema), *_by_hand(schema)]
    return (*found, *rows.others(found))


def _by_hand(schema: Schema) -> Iterator[Row]:
    yield from anywhere.common(schema)
    for part in (logs, traces, metrics):
        yield from part.relations(schema)
