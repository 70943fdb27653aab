"""What each part of the stack waited for while it started, and how long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from glasshouse_cli.compose import Container
from glasshouse_cli.console import Terminal, plain_table


@dataclass(frozen=True, kw_only=True)
class Part:
    """One container of a start. Times are in seconds from the start's beginning.

    started_s: None when it ran before. ready_s: when it answered, or, of one that only does
    something once, had done it; None where nobody asks it. waited_for: the services that had to be
    there before, then what it answered until it was ready.
    """

    name: str
    url: str
    started_s: float | None
    ready_s: float | None
    done: bool
    waited_for: tuple[str, ...]


def of(
    containers: Sequence[Container],
    began: datetime,
    *,
    urls: Mapping[str, str],
    ready: Mapping[str, float],
    answers: Mapping[str, str],
    dependencies: Mapping[str, Sequence[str]],
) -> list[Part]:
    """Return the parts in the order in which they started; by service are all the mappings.

    ready: seconds until it answered. answers: the last one before.
    """
    present = {container.service for container in containers}
    found: list[Part] = []
    for container in containers:
        service = container.service
        started = _since(began, container.started)
        ended = None if container.running else _since(began, container.finished)
        waited = [one for one in dependencies.get(service, ()) if one in present]
        if answer := answers.get(service):
            waited.append(answer)
        found.append(
            Part(
                name=service,
                url=urls.get(service, ""),
                started_s=started,
                ready_s=ready.get(service, ended),
                done=ended is not None,
                waited_for=tuple(waited) if started is not None else (),
            )
        )
    return sorted(found, key=lambda part: (part.started_s or 0.0, part.name))


def show(parts: Sequence[Part], terminal: Terminal) -> None:
    """Print a row for each part."""
    table = plain_table("part", "URL", "started after", "ready after", "waited for")
    for part in parts:
        started = "ran before" if part.started_s is None else f"{part.started_s:.1f} s"
        ready = "-" if part.ready_s is None else f"{part.ready_s:.1f} s"
        waited = ", then ".join(part.waited_for) or "-"
        table.add_row(part.name, part.url, started, f"{ready}{' done' * part.done}", waited)
    terminal.table(table)


def _since(began: datetime, moment: datetime | None) -> float | None:
    """Seconds from the beginning; None for what was before."""
    seconds = (moment - began).total_seconds() if moment else -1.0
    return seconds if seconds >= 0 else None
