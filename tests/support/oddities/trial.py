"""Sending every row, and looking for it until everything is explained."""

import secrets
import string
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from support.oddities.counters import Counters
from support.oddities.found import Backends, Found
from support.oddities.rows import Row
from support.oddities.samples import ODD, Marks
from support.oddities.schema import SIGNALS
from support.oddities.sending import Sender
from support.oddities.verdicts import Sent, Verdict, judge

# Three times as long as it takes until a span is found by a search.
SEARCHED_FOR_S = 15

# Rows whose items went to the dead letters, by reason.
Letters = Mapping[str, Counter[str]]


def new_run() -> str:
    """Return a name for a run: letters only, so that redaction takes it for a word."""
    return "".join(secrets.choice(string.ascii_lowercase) for _ in range(12))


def send(
    rows: Iterable[Row], sender: Sender, run: str, counters: Counters | None, pause_s: float = 0
) -> list[Sent]:
    """Send the rows one after the other; with each, read what the Collector counted for it.

    ``pause_s`` keeps rows out of one another's batches.
    """
    sent: list[Sent] = []
    if counters:
        counters.new()
    for row in rows:
        marks = Marks(run=run, row=row.name)
        answer = sender.send(row.signal, row.build(marks), row.over)
        reasons = counters.new() if counters else Counter[tuple[str, str]]()
        sent.append(Sent(row=row, marks=marks, answer=answer, reasons=reasons))
        time.sleep(pause_s)
    return sent


@dataclass(frozen=True, kw_only=True)
class Looking:
    """Where to look for what was sent. letters: reads the dead letters; there may be none."""

    backends: Backends
    letters: Callable[[], Letters]

    def verdicts(self, sent: Iterable[Sent], run: str, deadline_s: float) -> list[Verdict]:
        """Judge until every row is explained, or the time is over; in the order of sending."""
        left = list(sent)
        order = {one.row.name: place for place, one in enumerate(left)}
        judged: dict[str, Verdict] = {}
        began = time.monotonic()
        while True:
            passed = time.monotonic() - began
            signals = {one.row.signal for one in left}
            letters = self.letters()
            found = {name: self._found(name, run, left) for name in SIGNALS if name in signals}
            for one in left:
                whole = replace(one, aside=letters.get(one.row.name, Counter()))
                verdict = judge(whole, found[one.row.signal])
                if passed > SEARCHED_FOR_S and verdict.only_odd and self._is_there(one):
                    verdict = judge(replace(whole, by_id=True), found[one.row.signal])
                judged[one.row.name] = verdict
            # What was refused does not come later.
            left = [
                one for one in left if not judged[one.row.name].explained and not one.answer.refused
            ]
            if not left or passed > deadline_s:
                return sorted(judged.values(), key=lambda one: order[one.row.name])
            time.sleep(0.5)

    def _is_there(self, sent: Sent) -> bool:
        """Return whether an odd span that no search finds is there under its id."""
        return sent.row.signal == "traces" and self.backends.trace_is_there(
            sent.marks.trace_id(ODD)
        )

    def _found(self, signal: str, run: str, sent: Iterable[Sent]) -> Found:
        if signal == "logs":
            return self.backends.logs(run)
        if signal == "traces":
            return self.backends.traces(run)
        return self.backends.metrics(run, {one.marks.short: one.marks for one in sent})
