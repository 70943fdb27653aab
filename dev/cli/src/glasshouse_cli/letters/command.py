"""`glasshouse dead-letters`: what it does, and what it says."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from glasshouse_cli import certificates, project, secrets
from glasshouse_cli.console import Terminal
from glasshouse_cli.errors import StackError
from glasshouse_cli.letters import listing, places, replaying
from glasshouse_cli.letters.delivery import TOKEN_FILE_VARIABLE, Sender
from glasshouse_cli.letters.letter import Signal
from glasshouse_cli.letters.places import Place
from glasshouse_cli.letters.replaying import Outcome

# The exit code when lines were refused, or cannot be read, and stay.
REFUSED: Final = 3


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which letters: of these signals and reasons (none are all), in a folder or in the stack."""

    signals: Sequence[Signal]
    reasons: Sequence[str]
    folder: Path | None


def show(choice: Choice, terminal: Terminal, *, as_script: bool) -> None:
    """List the letters. Raises StackError when they cannot be read."""
    found = listing.collect(_place(choice, running=False), choice.signals, choice.reasons)
    if as_script:
        terminal.json(found.as_dict())
        return
    if found.groups:
        terminal.table(found.as_table())
    else:
        terminal.say("no dead letters")
    if found.unreadable:
        files = ", ".join(sorted(found.unreadable_files))
        terminal.say(f"{found.unreadable} lines of {files} are no letters")


def replay(choice: Choice, terminal: Terminal, *, endpoint: str | None) -> Outcome:
    """Send the letters again and say how it went.

    Raises StackError when it cannot begin or go on; the next run goes on from there.
    """
    if (choice.folder is None) != (endpoint is None):
        raise StackError("--folder and --endpoint go together: what to send, and where to")
    place = _place(choice, running=True)
    if endpoint is None:
        checkout = project.load()
        url, headers = certificates.otlp_url(checkout), secrets.sender(checkout)
        verify = certificates.context(checkout)
    else:
        url, headers, verify = endpoint, _token_of_environment(), True
    # The stack's port is on this machine; another address may lie behind a proxy.
    with Sender(url, proxies=endpoint is not None, headers=headers, verify=verify) as sender:
        outcome = _walk(choice, place, replaying.sending(sender), "sending dead letters", terminal)
    _report(outcome, "sent", terminal)
    if outcome.lines:
        terminal.say("what cannot be stored this time either comes back within seconds")
    return outcome


def _token_of_environment() -> dict[str, str]:
    """The headers with the token of the variable. Raises StackError for an unusable file."""
    path = os.environ.get(TOKEN_FILE_VARIABLE, "").strip()
    if not path:
        return {}
    try:
        words = Path(path).read_text(encoding="ascii").split()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise StackError(f"{TOKEN_FILE_VARIABLE}: cannot read {path}: {why}") from None
    if not words:
        raise StackError(f"{TOKEN_FILE_VARIABLE}: {path} is empty")
    return {"Authorization": f"Bearer {words[0]}"}


def discard(choice: Choice, terminal: Terminal) -> Outcome:
    """Delete the letters and say how it went; without reasons also what is no letter."""
    place = _place(choice, running=False)
    title = "deleting dead letters"
    outcome = _walk(choice, place, replaying.discard, title, terminal, anything=True)
    _report(outcome, "deleted", terminal)
    return outcome


def _walk(
    choice: Choice,
    place: Place,
    deliver: replaying.Deliver,
    title: str,
    terminal: Terminal,
    *,
    anything: bool = False,
) -> Outcome:
    return replaying.walk(
        place,
        deliver,
        title=title,
        terminal=terminal,
        signals=choice.signals,
        reasons=choice.reasons,
        anything=anything,
    )


def _place(choice: Choice, *, running: bool) -> Place:
    if choice.folder is not None:
        return places.in_folder(choice.folder)
    return places.in_stack(project.load(), running=running)


def _report(outcome: Outcome, done: str, terminal: Terminal) -> None:
    items = ", ".join(f"{signal} {outcome.done[signal]:,}" for signal in Signal)
    terminal.say(f"{done} {outcome.lines:,} lines ({items})")
    if outcome.passed:
        terminal.say(f"{outcome.passed:,} lines of other reasons stay")
    for one in outcome.stays:
        terminal.say(str(one))
    if outcome.refused:
        more = outcome.refused - len(outcome.stays)
        terminal.say(f"{outcome.refused:,} lines stay" + (f", {more:,} not shown" if more else ""))
    if outcome.full:
        terminal.say(
            "the newest letters were left where they are: earlier replays left too much, which "
            "--replay or --discard has to take first"
        )
