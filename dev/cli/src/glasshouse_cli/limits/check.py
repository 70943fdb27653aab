"""Compares the limits of the Collector with those of the backends behind it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from glasshouse_cli.errors import StackError
from glasshouse_cli.limits import pairs, special
from glasshouse_cli.limits.findings import Findings
from glasshouse_cli.limits.settings import COLLECTOR, Documents, Ref, load, named


def check(root: Path) -> Findings:
    """Compare the files of one checkout. Raises StackError when one cannot be read."""
    return compare(load(root))


def ensure(root: Path) -> None:
    """Raise StackError, with one line for each limit that contradicts another."""
    if lines := check(root).contradictions:
        raise StackError("\n  ".join(["limits contradict each other:", *lines]))


def compare(documents: Documents) -> Findings:
    """Compare what stands in the four files."""
    found = Findings()
    names = list(named(documents[COLLECTOR], "processors", "admission"))
    if not names:
        found.unchecked.append(f"{COLLECTOR}: processors has no admission: nothing is checked")
    for name in names:
        for pair in pairs.PAIRS:
            one, other = _of(pair.one, name).find(documents), pair.other.find(documents)
            found.compare(one, pair.relation, other, pair.consequence)
        special.sharding(found, documents, _of(pairs.LOGS_OLDEST, name).find(documents))
        special.streams(found, documents, _of(pairs.SERVICES_MOST, name).find(documents))
        special.ahead(found, _of(pairs.METRICS_NEWEST, name).find(documents))
    special.requests_to_backends(found, documents)
    special.depth(found, documents)
    special.requests(found, documents)
    special.dead_letters(found, documents)
    return found


def _of(ref: Ref, name: str) -> Ref:
    """The same setting of a component by its full name, such as admission/second."""
    if ref.file != COLLECTOR:
        return ref
    return replace(ref, path=(ref.path[0], name, *ref.path[2:]))
