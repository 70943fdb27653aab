"""Lines that tests print at the end of a run, whichever process they ran in."""

from collections.abc import Iterable
from typing import Any, Final

import pytest

_KEY: Final = "glasshouse_remarks"
_REMARKS: Final = pytest.StashKey[dict[str, list[str]]]()


def add(config: pytest.Config, section: str, lines: Iterable[str]) -> None:
    """Print these lines in a section of the end of the run, whether or not it has failed."""
    config.stash.setdefault(_REMARKS, {}).setdefault(section, []).extend(lines)


def hand_over(config: pytest.Config) -> None:
    """Hand what was remarked in a process of several to the one that prints."""
    output: dict[str, Any] | None = getattr(config, "workeroutput", None)
    if output is not None:
        output[_KEY] = config.stash.get(_REMARKS, {})


def take_over(config: pytest.Config, node: Any) -> None:
    """Take what a process has handed over. One that was killed has nothing."""
    for section, lines in getattr(node, "workeroutput", {}).get(_KEY, {}).items():
        add(config, section, lines)


def write(terminal: pytest.TerminalReporter) -> None:
    """Print every section."""
    for section, lines in terminal.config.stash.get(_REMARKS, {}).items():
        terminal.section(section)
        for line in lines:
            terminal.write_line(line)
