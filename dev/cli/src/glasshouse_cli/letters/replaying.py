"""Sends dead letters again, and takes away what was accepted; or throws them away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from glasshouse_cli.console import Terminal
from glasshouse_cli.letters import channel, keeper, letter
from glasshouse_cli.letters.delivery import Sender
from glasshouse_cli.letters.letter import Letter, Signal
from glasshouse_cli.letters.places import Place
from glasshouse_cli.letters.progress import bar

# More are counted, not reported one by one.
_MAX_REPORTED = 20

# None when the letter is done with, else why it stays.
Deliver = Callable[[Letter], str | None]


@dataclass(frozen=True, kw_only=True)
class Stay:
    """A line that stays, by its number in the file once the replay has ended, and why."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"


@dataclass(kw_only=True)
class Outcome:
    """What a replay did. done: items by signal. stays: the first lines that were refused.

    passed: lines that nobody asked for. full: the Collector's own files were not taken, since
    too much is left of earlier replays.
    """

    done: Counter[Signal] = field(default_factory=Counter[Signal])
    lines: int = 0
    passed: int = 0
    refused: int = 0
    stays: list[Stay] = field(default_factory=list[Stay])
    full: bool = False

    def refuse(self, line: channel.Line, reason: str) -> None:
        self.refused += 1
        if len(self.stays) < _MAX_REPORTED:
            self.stays.append(Stay(file=line.file, line=line.number, reason=reason))

    def as_dict(self) -> dict[str, object]:
        """For scripts."""
        return {
            "items": {signal: self.done[signal] for signal in Signal},
            "lines": self.lines,
            "passed_over": self.passed,
            "refused": self.refused,
            "stays": [vars(one) for one in self.stays],
            "too_much_left": self.full,
        }


def sending(sender: Sender) -> Deliver:
    """Deliver to a Collector. Each part of a letter is tried, whatever becomes of the others."""

    def deliver(one: Letter) -> str | None:
        reasons: list[str] = []
        parts = 0
        try:
            for body in one.requests():
                parts += 1
                if (reason := sender.send(one.head.signal, body)) is not None:
                    reasons.append(reason)
        except RecursionError:
            return "nested too deep"
        if not reasons:
            return None
        return reasons[0] if parts == 1 else f"{reasons[0]} ({len(reasons)} of {parts} requests)"

    return deliver


def discard(_: Letter) -> None:
    """Throw a letter away."""


def walk(
    place: Place,
    deliver: Deliver,
    *,
    title: str,
    terminal: Terminal,
    signals: Sequence[Signal],
    reasons: Sequence[str] = (),
    anything: bool = False,
) -> Outcome:
    """Go through all letters once; what comes back meanwhile is left for the next time.

    signals, reasons: only these; no reasons are all. anything: what is no letter goes, too.
    Raises StackError when it cannot go on; what was delivered by then is marked as such.
    """
    outcome = Outcome()
    with (
        channel.opened(place.command("take", signals)) as opened,
        bar(terminal, title, opened.total) as progress,
    ):
        outcome.full = opened.full
        for line in opened.lines():
            one = _read(line)
            if isinstance(one, Letter):
                done = _done(line, one, deliver, reasons, outcome)
            elif done := anything and not reasons:
                outcome.lines += 1
            else:
                outcome.refuse(line, one)
            if done:
                opened.sent()
            else:
                opened.keep()
            progress.advance(line.size + 1)
    return outcome


def _read(line: channel.Line) -> Letter | str:
    """The letter, or why it is none."""
    if not line.whole:
        return f"over {keeper.LINE_BYTES >> 20} MiB long"
    try:
        return letter.read(line.content)
    except letter.UnreadableError as error:
        return f"cannot be read: {error}" if line.ended else "unfinished: it has no end"


def _done(
    line: channel.Line, one: Letter, deliver: Deliver, reasons: Sequence[str], outcome: Outcome
) -> bool:
    if reasons and one.head.reason not in reasons:
        outcome.passed += 1
        return False
    if (why := deliver(one)) is not None:
        outcome.refuse(line, why)
        return False
    outcome.lines += 1
    outcome.done[one.head.signal] += one.head.items
    return True
