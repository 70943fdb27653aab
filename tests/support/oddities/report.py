"""The table of what became of each kind of oddity: for people, and for programs."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator

from support.oddities.schema import SIGNALS
from support.oddities.verdicts import (
    BY_ID,
    REFUSED,
    REPAIRED,
    REQUEST_REFUSED,
    SET_ASIDE,
    STATES,
    STORED,
    Verdict,
)

BACKENDS = {"logs": "Loki", "traces": "Tempo", "metrics": "Prometheus"}
COMMAND = "make compatibility"
# Of its half of the page: the other one is support.cells's.
NAME = f"oddities, made by `{COMMAND}`"
HEAD = f"""\
# Compatibility

No record costs another: whatever a sender brings through the Collector, its neighbours are stored
and findable, and the odd record itself is stored, repaired or counted.

This table is made by `tests/integration/compatibility`, which fails when it is not what was seen.
Write it anew with `{COMMAND}`. Each row of the suite is one request, through the Collector as it is
deployed into the real backends: nine good items, and among them, or in a resource beside them,
one that is odd. Rows with a field's name, such as `KeyValue.key`, are made from OTLP's own
descriptor, in every place where the field can stand: missing, empty, zero, largest, negative, of
another type, huge, too many, not UTF-8, without ASCII, long ago, far ahead. The others are what no
descriptor lists. About one row in eight is sent over gRPC, too, and another one as JSON. The nine
good items of every row were found by a search, unless the request was refused whole.

| column | the odd item |
| --- | --- |
| {STORED} | is in the backend as it was sent, as far as the backend keeps it |
| {REPAIRED} | is in the backend, changed; the reasons are counted, and stand on records and spans |
| {SET_ASIDE} | is among the dead letters, counted |
| {REFUSED} | is dropped, counted |
| {REQUEST_REFUSED} | cost its request, of which nothing was taken, and its sender was notified |

A request is refused whole when it is no OTLP, so that its records cannot be separated.
"""


def document(verdicts: Iterable[Verdict]) -> str:
    """Return the whole page."""
    known = list(verdicts)
    parts = [HEAD, *_totals(known)]
    for signal in SIGNALS:
        of_signal = [one for one in known if one.row.signal == signal]
        parts += ["", f"## {signal.capitalize()}, in {BACKENDS[signal]}", "", *_table(of_signal)]
    parts += ["", "## What is not stored", "", *_not_stored(known)]
    return "\n".join(parts) + "\n"


def summary(verdicts: Iterable[Verdict]) -> list[str]:
    """Return a few lines for a terminal."""
    known = list(verdicts)
    lines: list[str] = []
    for signal in SIGNALS:
        counts = Counter(one.state for one in known if one.row.signal == signal)
        summary = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
        lines.append(f"{signal}: {sum(counts.values())} rows: {summary}")
    return lines


def dump(verdicts: Iterable[Verdict]) -> str:
    """Return every row's verdict as JSON, one line each."""
    entries = (
        {
            "row": one.row.name,
            "signal": one.row.signal,
            "group": one.row.group,
            "over": one.row.over,
            "state": one.state,
            "reasons": one.reasons,
            "good": one.good,
            "lost": one.lost,
        }
        for one in verdicts
    )
    return "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)


def _totals(verdicts: list[Verdict]) -> Iterator[str]:
    yield _line("signal", "rows", *_shown())
    yield _rule(2 + len(_shown()))
    for signal in SIGNALS:
        of_signal = [one for one in verdicts if one.row.signal == signal]
        yield _line(signal, *_counts(of_signal))
    yield _line("all", *_counts(verdicts))


def _table(verdicts: list[Verdict]) -> Iterator[str]:
    yield _line("field or kind", "rows", *_shown(), "reasons")
    yield _rule(3 + len(_shown()))
    groups: dict[str, list[Verdict]] = {}
    for one in verdicts:
        groups.setdefault(one.row.group, []).append(one)
    for group, members in groups.items():
        reasons = sorted({reason for one in members for reason in _reasons(one)})
        yield _line(f"`{group}`", *_counts(members), ", ".join(reasons))


def _not_stored(verdicts: list[Verdict]) -> Iterator[str]:
    """Name the rows; those with a field of another type, which are no OTLP, by their number."""
    yield _line("row", "became", "reasons")
    yield _rule(3)
    alike = [one for one in verdicts if one.row.name.partition(" (")[0].endswith(_NO_OTLP)]
    states = ", ".join(sorted({one.state for one in alike}))
    yield _line(f"`…{_NO_OTLP}`, {len(alike)} rows", states, "")
    for one in verdicts:
        if one.state not in (STORED, REPAIRED) and one not in alike:
            yield _line(f"`{one.row.name}`", one.state, ", ".join(one.reasons))


_NO_OTLP = "/wrong type"


def _reasons(verdict: Verdict) -> tuple[str, ...]:
    """Return the reasons that say more than the state does."""
    if verdict.state == STORED:
        return tuple(reason for reason in verdict.reasons if reason == BY_ID)
    return verdict.reasons if verdict.state != REQUEST_REFUSED else ()


def _shown() -> list[str]:
    return [state for state in STATES if state != "lost"]


def _counts(verdicts: list[Verdict]) -> list[str]:
    counts = Counter(one.state for one in verdicts)
    return [str(len(verdicts)), *(str(counts[state] or "") for state in _shown())]


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _rule(columns: int) -> str:
    return _line(*["---"] * columns)
