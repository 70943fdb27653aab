"""The only place that writes to the terminal. Progress goes to stderr, results to stdout."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

# Without a terminal there is no width to fit: wide enough that rows do not wrap.
_PLAIN_WIDTH = 160
# Without a terminal a long step says this often that it is alive.
_HEARTBEAT_S = 30.0
_TAIL_LINES = 15
# What moves the cursor, colours, or turns the direction of text: in what others wrote it could
# show an operator something that is not there.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# A reference link of Markdown with a number, such as [Explore][1].
_REFERENCE = re.compile(r"\[(\w+)\]\[(\d+)\]")


class Step:
    """One running step. `note` sets the word beside it: what it does just now."""

    def __init__(self, console: Console, title: str, progress: Progress | None) -> None:
        self._console = console
        self._title = title
        self._progress = progress
        self._task = progress.add_task(title, note="") if progress else None
        self._started = time.monotonic()
        self._spoke = self._started

    @property
    def seconds(self) -> float:
        """Seconds since the step began."""
        return time.monotonic() - self._started

    def note(self, text: str) -> None:
        """Show what the step is doing; may be called as often as wanted."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, note=shown(text))
        elif time.monotonic() - self._spoke >= _HEARTBEAT_S:
            self._spoke = time.monotonic()
            line = f"{self._title}: {shown(text)} ({self.seconds:.0f} s)"
            self._console.print(line, highlight=False, markup=False)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Take the step off the screen while a result is written, which may be on the same one."""
        if self._progress is not None:
            self._progress.stop()
        try:
            yield
        finally:
            if self._progress is not None:
                self._progress.start()


class Terminal:
    """Output of one command. `color=False` or NO_COLOR leaves colours out."""

    def __init__(self, *, color: bool = True, quiet: bool = False) -> None:
        no_color = None if color else True
        self.out = _console(stderr=False, no_color=no_color)
        self.err = _console(stderr=True, no_color=no_color)
        self._quiet = quiet

    def say(self, text: str) -> None:
        """One line for people; goes to stderr, so that stdout stays for results."""
        if not self._quiet:
            self.err.print(shown(text), highlight=False, markup=False, soft_wrap=True)

    def table(self, table: Table) -> None:
        """A result."""
        self.out.print(table)

    def line(self, text: str) -> None:
        """A result of one line."""
        self.out.print(shown(text), highlight=False, markup=False, soft_wrap=True)

    def json(self, value: object) -> None:
        """A result for scripts: plain JSON, never coloured or wrapped."""
        self.out.file.write(json.dumps(value, indent=2, sort_keys=True) + "\n")

    def lines(self, lines: Iterable[str]) -> None:
        """A result as plain text, never coloured or wrapped."""
        for line in lines:
            self.out.file.write(f"{shown(line)}\n")
        self.out.file.flush()  # a reader behind a pipe waits for it, too

    def page(self, markdown: str, links: Sequence[str]) -> None:
        """A page for reading on a terminal; `[word][1]` is a link to the first of `links`."""
        for line in markdown.splitlines():
            text = Text(style="bold" if line.startswith("#") else "")
            end = 0
            for found in _REFERENCE.finditer(line):
                text.append(line[end : found.start()])
                text.append(f"[{found[1]}]", style=f"link {links[int(found[2]) - 1]}")
                end = found.end()
            self.out.print(text.append(line[end:]), soft_wrap=True)

    def error(self, message: str, log: Path | None = None) -> None:
        """One line naming the fault; the last lines of its log below, if there is one."""
        self.err.print("error: ", style="bold red", end="")
        self.err.print(shown(message), highlight=False, markup=False, soft_wrap=True)
        for line in tail(log):
            text = f"  {shown(line)}"
            self.err.print(text, highlight=False, markup=False, soft_wrap=True, style="dim")

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Show a step while it runs: a spinner on a terminal, plain lines elsewhere."""
        if self._quiet:
            yield Step(Console(quiet=True), title, None)
        elif self.err.is_terminal:
            columns = (
                SpinnerColumn(),
                TextColumn("{task.description}"),
                TimeElapsedColumn(),
                TextColumn("{task.fields[note]}", style="dim", markup=False),
            )
            with Progress(*columns, console=self.err, transient=True) as progress:
                yield Step(self.err, title, progress)
        else:
            self.say(f"{title} ...")
            yield Step(self.err, title, None)


def tail(log: Path | None, lines: int = _TAIL_LINES) -> list[str]:
    """The last lines of a log file; empty when it is missing."""
    if log is None or not log.is_file():
        return []
    return log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]


def shown(text: str) -> str:
    """The text with each control character as its escape, such as ``\\x1b``; ends of lines stay."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class _Plain(Table):
    def add_row(self, *cells: RenderableType | None, **options: Any) -> None:
        # A string would be read as markup: "[/x]" is an error, "[link=…]" a link.
        plain = (Text(shown(one)) if isinstance(one, str) else one for one in cells)
        super().add_row(*plain, **options)


def plain_table(*columns: str) -> Table:
    """A table with one header row and no frame; its cells are text, never markup."""
    table = _Plain(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _console(*, stderr: bool, no_color: bool | None) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _PLAIN_WIDTH
    # Without emoji: a path such as /a:b: is shown as it is.
    return Console(stderr=stderr, no_color=no_color, width=width, emoji=False)
