"""Gives a checkout a compose project and ports of its own, so that two stacks run on one engine."""

from __future__ import annotations

import re
from collections.abc import Mapping

from glasshouse_cli import ports
from glasshouse_cli.components import DISTRIBUTED_PORT_VARIABLES
from glasshouse_cli.errors import StackError
from glasshouse_cli.files import write_atomically
from glasshouse_cli.project import Project

_STEP = 100
_LAST_PORT = 65535


def separate(checkout: Project) -> Mapping[str, str]:
    """Write COMPOSE_PROJECT_NAME and the ports into `.env`, and return what was written.

    The ports are those of before, moved together by the same hundreds until all are free.
    Raises StackError when there are none, or `.env` cannot be written.
    """
    values = {"COMPOSE_PROJECT_NAME": _name(checkout.root.name)} | _ports(checkout)
    file = checkout.root / ".env"
    text = file.read_text(encoding="utf-8")
    for variable, value in values.items():
        text, found = re.subn(
            rf"^{variable}=.*$", f"{variable}={value}", text, count=1, flags=re.MULTILINE
        )
        if not found:
            text += f"{variable}={value}\n"
    try:
        write_atomically(file, text)
    except OSError as error:
        raise StackError(f"{file} cannot be written: {error.strerror}") from error
    return values


def _name(folder: str) -> str:
    # What compose allows in a name.
    word = re.sub(r"[^a-z0-9_-]+", "-", folder.lower()).strip("-_")
    return word if word.startswith("glasshouse-") else f"glasshouse-{word or 'second'}"


def _ports(checkout: Project) -> dict[str, str]:
    before = {variable: checkout.port(variable) for variable in DISTRIBUTED_PORT_VARIABLES}
    for shift in range(_STEP, _LAST_PORT, _STEP):
        moved = {variable: port + shift for variable, port in before.items()}
        if max(moved.values()) > _LAST_PORT:
            break
        # Those of before are the other checkout's, also while it is stopped.
        if not set(moved.values()) & set(before.values()) and not ports.clashes(moved):
            return {variable: str(port) for variable, port in moved.items()}
    raise StackError("no free ports above those in .env: choose lower ones there")
