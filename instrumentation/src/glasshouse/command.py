"""The command ``glasshouse``: its own subcommands, and those that other packages add.

A package adds subcommands by an entry point of the group ``glasshouse.commands``, which names an
object with `Subcommands`' two attributes. It is loaded at each start, so its module should import
little; what a subcommand needs is imported when it runs.
"""

import argparse
import importlib.metadata
import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from glasshouse import settings
from glasshouse.errors import ConfigurationError

GROUP: Final = "glasshouse.commands"
_INTERRUPTED: Final = 130  # as a shell reports Ctrl-C
_UNUSABLE: Final = 2  # a setting
_OWN: Final = {"check": "Send one redacted record of each signal; say whether each arrived."}


class Subcommands(Protocol):
    """What an entry point of the group ``glasshouse.commands`` names."""

    @property
    def summaries(self) -> Mapping[str, str]:
        """One line of help for each subcommand, by its name."""
        ...

    def run(self, arguments: Sequence[str]) -> int:
        """Run the subcommand that is the first of ``arguments``; return the exit code."""
        ...


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand and return the exit code: 2 for one that there is not."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    others, broken = _others()
    try:
        # What belongs to another package is parsed there, options and help included.
        if given and given[0] in others:
            return others[given[0]].run(given)
        _parser(others, broken).parse_args(given[:1] if given else ["--help"])
        if refusal := _refusal():
            return _unusable(refusal, as_json="--json" in given)
        # Only here: the SDK reads variables while it is imported.
        from glasshouse.checking import command

        return command.main(given[1:])
    except KeyboardInterrupt:
        return _INTERRUPTED


def _refusal() -> str | None:
    try:
        settings.prepare(os.environ)
    except ConfigurationError as error:
        return str(error)
    return None


def _unusable(line: str, *, as_json: bool) -> int:
    if as_json:
        sys.stdout.write(json.dumps({"ok": False, "error": line}) + "\n")
    sys.stderr.write(f"glasshouse check: {line}\n")
    return _UNUSABLE


def _others() -> tuple[dict[str, Subcommands], list[str]]:
    """Return the subcommands of other packages by name, and a line for each package that fails."""
    found: dict[str, Subcommands] = {}
    broken: list[str] = []
    for entry in sorted(importlib.metadata.entry_points(group=GROUP), key=lambda one: one.name):
        try:
            added: Subcommands = entry.load()
            found.update((name, added) for name in added.summaries if name not in _OWN)
        except Exception as error:  # noqa: BLE001 (another package's: ours must work all the same)
            broken.append(f"{entry.name} ({entry.value}): {type(error).__name__}: {error}")
    return found, broken


def _parser(others: Mapping[str, Subcommands], broken: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="glasshouse",
        description="OpenTelemetry for Python services: correlated, flushed, redacted.",
        epilog="\n".join(f"cannot be loaded: {line}" for line in broken) or None,
    )
    version = importlib.metadata.version("glasshouse")
    parser.add_argument("--version", action="version", version=version, help="print it and exit")
    commands = parser.add_subparsers(metavar="COMMAND", title="commands", required=True)
    summaries = {**_OWN, **{name: added.summaries[name] for name, added in others.items()}}
    for name in sorted(summaries):
        commands.add_parser(name, help=summaries[name].replace("%", "%%"), add_help=False)
    return parser
