"""Whether the limits in the configuration files fit together."""

from __future__ import annotations

from collections.abc import Iterator

from glasshouse_cli.doctor.checks import Check
from glasshouse_cli.limits.check import check
from glasshouse_cli.project import Project


def limits(checkout: Project) -> Iterator[Check]:
    """One row for all that hold, and one for each that does not, or could not be checked."""
    found = check(checkout.root)
    for line in found.contradictions:
        yield Check(name="limit", status="failed", detail=line, next="the file named first")
    for line in found.unchecked:
        yield Check(name="limit", status="skipped", detail=line)
    if not found.contradictions:
        yield Check(
            name="limits", status="ok", detail=f"{found.held} pairs of settings fit together"
        )
