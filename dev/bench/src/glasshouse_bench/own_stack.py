"""A stack of the bench's own: the real one, under another name, with its own ports and data."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from glasshouse_cli.components import PORT_VARIABLES
from glasshouse_cli.console import Terminal
from glasshouse_cli.errors import StackError
from glasshouse_cli.project import Project

NAME = "glasshouse-bench"
_COMMAND = Path(sys.executable).with_name("glasshouse")
_TIMEOUT_S = 1200.0


@dataclass(frozen=True, kw_only=True)
class OwnStack:
    """A checkout whose commands see another name, other ports and another state."""

    name: str
    checkout: Project
    environment: Mapping[str, str]

    def command(self, *arguments: str) -> str:
        """Run a subcommand of `glasshouse` on this stack and return what it printed.

        Raises:
            StackError: it failed.
        """
        try:
            done = subprocess.run(  # noqa: S603 (our own command)
                [_COMMAND, *arguments],
                cwd=self.checkout.root,
                env={**os.environ, **self.environment},
                capture_output=True,
                text=True,
                timeout=_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise StackError(f"glasshouse {arguments[0]} does not end") from None
        if done.returncode != 0:
            lines = [one for one in done.stderr.splitlines() if one.startswith("error: ")]
            why = lines[-1].removeprefix("error: ") if lines else "it gives no reason"
            raise StackError(f"glasshouse {arguments[0]} fails: {why}")
        return done.stdout

    def answer(self, *arguments: str) -> Any:
        """As `command`, with ``--json``: return the document."""
        return json.loads(self.command(*arguments, "--json"))

    def start(self) -> dict[str, Any]:
        """Start it, as `make up` does; return how that went. Raises StackError when it fails."""
        return self.answer("up")


@contextlib.contextmanager
def prepared(checkout: Project, terminal: Terminal, name: str = NAME) -> Iterator[OwnStack]:
    """Yield a stack that does not run yet; what it leaves is deleted at the end.

    Raises:
        StackError: the engine does not answer.
    """
    state = checkout.state / "bench" / name
    environment = {
        "COMPOSE_PROJECT_NAME": name,
        "GLASSHOUSE_STATE": str(state),
        **{variable: str(port) for variable, port in _free_ports().items()},
    }
    own = OwnStack(
        name=name,
        checkout=replace(checkout, settings={**checkout.settings, **environment}),
        environment=environment,
    )
    own.command("clean", "--yes")  # what an interrupted run may have left
    try:
        yield own
    finally:
        with terminal.step("deleting the stack of the bench"):
            own.command("clean", "--yes")
            shutil.rmtree(state, ignore_errors=True)


def _free_ports() -> dict[str, int]:
    with contextlib.ExitStack() as held:
        sockets = {variable: held.enter_context(socket.socket()) for variable in PORT_VARIABLES}
        for one in sockets.values():
            one.bind(("127.0.0.1", 0))
        return {variable: one.getsockname()[1] for variable, one in sockets.items()}
