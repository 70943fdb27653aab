"""One text of a report, and how its outcome is judged."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

# A value this short must be gone whole; of a longer one, a part of this share is a leak.
LONGEST_REST = 5
REST_SHARE = 0.6
# Masks may keep the network of an address and the last four digits of a card.
_MASK = re.compile(r"\[[a-z][a-z0-9_]{0,31}(?::[0-9a-f.:*]+)?\]")


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A value under a key. ``secret``: what must be gone of it; empty: nothing may change."""

    report: str
    group: str
    label: str
    text: Any
    key: str = ""
    secret: str = ""

    def holds(self, stored: Any) -> bool:
        """Return whether what came out of the redaction is as it must be."""
        if not self.secret:
            return stored == self.text
        return not leaks(self.secret, stored if isinstance(stored, str) else str(stored))


# Redacts every probe, in order, and returns what came out.
Redact = Callable[[Sequence[Probe]], Sequence[Any]]


def leaks(secret: str, stored: str) -> bool:
    """Return whether enough of the secret to recognise it is still there."""
    stored = _MASK.sub("[]", stored)
    if len(secret) <= LONGEST_REST:
        return secret in stored
    length = max(LONGEST_REST, round(len(secret) * REST_SHARE))
    return any(secret[at : at + length] in stored for at in range(len(secret) - length + 1))


@dataclass(frozen=True, kw_only=True)
class Cell:
    """How many probes of one group and label held."""

    probes: int
    held: int

    @property
    def share(self) -> float:
        return self.held / self.probes if self.probes else 1.0


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A probe that did not hold, and what came out."""

    probe: Probe
    stored: Any


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One report: its cells by group and label, and what failed."""

    report: str
    cells: dict[tuple[str, str], Cell]
    failures: tuple[Failure, ...]

    def total(self, group: str | None = None, label: str | None = None) -> Cell:
        """Return the sum over all cells, or over those of one group, or one label."""
        chosen = [
            cell
            for (one, other), cell in self.cells.items()
            if group in (None, one) and label in (None, other)
        ]
        return Cell(probes=sum(c.probes for c in chosen), held=sum(c.held for c in chosen))


def judge(probes: Sequence[Probe], redact: Redact) -> dict[str, Outcome]:
    """Redact all probes and judge them; return the outcome by report."""
    stored = redact(probes)
    if len(stored) != len(probes):
        raise ValueError(f"{len(probes)} texts were sent, {len(stored)} came back")
    results = zip(probes, stored, strict=True)
    by_report: defaultdict[str, list[tuple[Probe, Any]]] = defaultdict(list)
    for probe, value in results:
        by_report[probe.report].append((probe, value))
    return {name: _outcome(name, found) for name, found in by_report.items()}


def _outcome(report: str, found: Iterable[tuple[Probe, Any]]) -> Outcome:
    counts: defaultdict[tuple[str, str], list[bool]] = defaultdict(list)
    failures: list[Failure] = []
    for probe, stored in found:
        held = probe.holds(stored)
        counts[probe.group, probe.label].append(held)
        if not held:
            failures.append(Failure(probe=probe, stored=stored))
    return Outcome(
        report=report,
        cells={
            name: Cell(probes=len(held), held=sum(held)) for name, held in sorted(counts.items())
        },
        failures=tuple(failures),
    )
