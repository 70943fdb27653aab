"""How far a replay is: a bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from glasshouse_cli.console import Terminal

_EVERY_S = 10.0


class Bar:
    """Counts bytes against a total."""

    def __init__(self, terminal: Terminal, title: str, total: int, progress: Progress | None):
        self._terminal = terminal
        self._title = title
        self._total = total
        self._done = 0
        self._progress = progress
        self._task = progress.add_task(title, total=total) if progress else None
        self._spoke = time.monotonic()

    def advance(self, size: int) -> None:
        """`size` bytes more are done."""
        self._done += size
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, advance=size)
        elif time.monotonic() - self._spoke >= _EVERY_S:
            self._spoke = time.monotonic()
            share = 100 * self._done // max(self._total, 1)
            self._terminal.say(f"{self._title}: {share} %")


@contextmanager
def bar(terminal: Terminal, title: str, total: int) -> Generator[Bar]:
    """Show a bar while the block runs."""
    if not terminal.err.is_terminal:
        terminal.say(f"{title} ...")
        yield Bar(terminal, title, total, None)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=terminal.err, transient=True) as progress:
        yield Bar(terminal, title, total, progress)
