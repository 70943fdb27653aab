"""What `glasshouse init`, `own` and `check-own` do, and what `up` does before anything starts."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from glasshouse_cli import images
from glasshouse_cli.console import Terminal
from glasshouse_cli.engine import facts
from glasshouse_cli.errors import StackError
from glasshouse_cli.own import check, made, names, skeleton, tools
from glasshouse_cli.own import folder as folders
from glasshouse_cli.own.check import Query
from glasshouse_cli.own.folder import Own
from glasshouse_cli.project import Project

DOMAIN: Final = "booking"


def init(
    checkout: Project,
    folder: Path | None,
    domain: str | None,
    service: str | None,
    terminal: Terminal,
) -> None:
    """Write the skeleton of a domain, and say what to do next."""
    folder = folders.chosen(checkout) if folder is None else folder
    if folder.exists() and not folder.is_dir():
        raise StackError(f"{folder} is no folder: name another one")
    own = folders.at(checkout, folder)
    called = names.of(names.guessed(own.folder.name, DOMAIN) if domain is None else domain, service)
    terminal.lines(f"wrote {name}" for name in skeleton.write(checkout, own, called))
    terminal.say(f"the domain {called.domain}, of the service {called.service}. Next:")
    terminal.lines(next_commands(checkout, own))


def next_commands(checkout: Project, own: Own) -> list[str]:
    """Return what to run after `init`: check it, start the stack with it, connect the service."""
    mounted = folders.chosen(checkout).resolve() == own.folder
    argument = "" if mounted else f" {shlex.quote(str(own.folder))}"
    setting = "" if mounted else f"{folders.VARIABLE}={shlex.quote(str(own.folder))} "
    return [f"glasshouse check-own{argument}", f"{setting}make up", "glasshouse connect"]


def make(checkout: Project, folder: Path | None, terminal: Terminal) -> None:
    """Write what is made of the user's catalogue and objectives. Raises StackError for a fault."""
    changed = made.write(checkout, folders.of(checkout, folder))
    terminal.say("\n".join(f"wrote {name}" for name in changed) or "nothing to change")


def examine(checkout: Project, folder: Path | None, terminal: Terminal) -> None:
    """Check everything, and say what was checked. Raises StackError with a line for each fault."""
    own = folders.of(checkout, folder)
    if own.is_empty:
        terminal.say(f"{own.prefix} is empty: `glasshouse init` makes a first domain")
        return
    found = check.look(checkout, own)
    faults = found.faults
    if not faults:
        tags = images.resolve(["prometheus", "otelcol"], checkout=checkout, terminal=terminal)
        faults = _by_tools(checkout, own, found.queries, tags, terminal)
    _refuse(f"{own.prefix} would not work:", faults)
    counted = ", ".join(f"{len(own.files(part))} in {part}" for part in folders.PARTS)
    terminal.say(f"{own.prefix} has no fault: {counted}")


def ensure(checkout: Project, tags: Mapping[str, str], terminal: Terminal) -> None:
    """Renew what is made, and check everything.

    For `up`, before anything starts. Raises StackError with a line for each fault.
    """
    own = folders.of(checkout)
    if own.is_empty:
        return
    for name in made.write(checkout, own):
        terminal.say(f"wrote {name}")
    found = check.look(checkout, own)
    faults = found.faults or _by_tools(checkout, own, found.queries, tags, terminal)
    _refuse(f"{own.prefix} would not work, so nothing was started:", faults)


def _by_tools(
    checkout: Project,
    own: Own,
    queries: Sequence[Query],
    tags: Mapping[str, str],
    terminal: Terminal,
) -> list[StackError]:
    own.let_containers_read(facts.read())
    with terminal.step(f"checking {own.prefix}"):
        faults = tools.promtool(own, checkout, tags[tools.PROMETHEUS], queries)
        return faults + tools.collector(own, checkout, tags[tools.COLLECTOR])


def _refuse(head: str, faults: list[StackError]) -> None:
    if faults:
        lines = list(dict.fromkeys(str(one) for one in faults))
        raise StackError("\n".join([head, *(f"  {line}" for line in lines)]))
