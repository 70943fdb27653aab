"""What there is of dead letters, by signal and reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from rich.table import Table

from glasshouse_cli.console import plain_table
from glasshouse_cli.letters import channel, letter
from glasshouse_cli.letters.letter import Head, Signal
from glasshouse_cli.letters.places import Place

Key = tuple[Signal, str, str]


@dataclass(kw_only=True)
class Group:
    """Letters of one signal, reason and source.

    items: log records, spans or data points. size: in bytes. oldest, newest: when they were set
    aside. files: their names.
    """

    oldest: datetime
    newest: datetime
    lines: int = 0
    items: int = 0
    size: int = 0
    files: set[str] = field(default_factory=set[str])

    def add(self, head: Head, line: channel.Line) -> None:
        self.lines += 1
        self.items += head.items
        self.size += line.size
        self.oldest = min(self.oldest, head.time)
        self.newest = max(self.newest, head.time)
        self.files.add(line.file)


@dataclass(kw_only=True)
class Listing:
    """All groups, and the lines that are no letters."""

    groups: dict[Key, Group] = field(default_factory=dict[Key, Group])
    unreadable: int = 0
    unreadable_size: int = 0
    unreadable_files: set[str] = field(default_factory=set[str])

    def add(self, line: channel.Line) -> None:
        try:
            head = letter.read_head(line.content)
        except letter.UnreadableError:
            if not line.ended and ".replay-" not in line.file:
                return  # the Collector is about to finish it
            self.unreadable += 1
            self.unreadable_size += line.size
            self.unreadable_files.add(line.file)
            return
        key = (head.signal, head.reason, head.source)
        group = self.groups.setdefault(key, Group(oldest=head.time, newest=head.time))
        group.add(head, line)

    def as_dict(self) -> dict[str, object]:
        """For scripts; times are RFC 3339."""
        return {
            "letters": [
                {
                    "signal": signal,
                    "reason": reason,
                    "source": source,
                    "lines": group.lines,
                    "items": group.items,
                    "bytes": group.size,
                    "oldest": group.oldest.isoformat(),
                    "newest": group.newest.isoformat(),
                    "files": sorted(group.files),
                }
                for (signal, reason, source), group in sorted(self.groups.items())
            ],
            "unreadable": {
                "lines": self.unreadable,
                "bytes": self.unreadable_size,
                "files": sorted(self.unreadable_files),
            },
        }

    def as_table(self) -> Table:
        """For people."""
        table = plain_table(
            "signal", "reason", "source", "items", "bytes", "oldest", "newest", "files"
        )
        for (signal, reason, source), group in sorted(self.groups.items()):
            times = (f"{time:%Y-%m-%d %H:%M:%S}" for time in (group.oldest, group.newest))
            files = ", ".join(sorted(group.files))
            numbers = f"{group.items:,}", f"{group.size:,}"
            table.add_row(signal, reason, source, *numbers, *times, files)
        return table


def collect(place: Place, signals: Sequence[Signal], reasons: Sequence[str] = ()) -> Listing:
    """Read all letters. Raises StackError when they cannot be read."""
    listing = Listing()
    with channel.opened(place.command("look", signals)) as opened:
        for line in opened.lines():
            listing.add(line)
    if reasons:
        listing.groups = {key: one for key, one in listing.groups.items() if key[1] in reasons}
    return listing
