"""Where the engine is that the Docker client talks to, and which setting says so."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from glasshouse_cli.errors import StackError
from glasshouse_cli.process import run

_ASK_TIMEOUT_S = 20.0
SYSTEM_SOCKET = "unix:///var/run/docker.sock"
_SOCKET = "unix://"


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """An engine's address. `setting` is what names it; empty when nothing does."""

    address: str
    setting: str = ""
    context: str = ""

    @property
    def is_default(self) -> bool:
        """Whether it is this machine's own engine, because nobody chose another."""
        return not self.setting

    @property
    def is_remote(self) -> bool:
        """Whether it is reached over the network."""
        return not self.address.startswith(_SOCKET)

    @property
    def socket(self) -> Path | None:
        """The socket's file, behind links: /var/run/docker.sock is one on macOS."""
        if not self.address.startswith(_SOCKET):
            return None
        path = Path(self.address.removeprefix(_SOCKET))
        try:
            return path.resolve()
        except (OSError, RuntimeError):  # a loop of links
            return path


def find() -> Endpoint:
    """The engine that `docker` talks to: DOCKER_HOST, else the context, else this machine's.

    Raises StackError when the chosen context does not exist.
    """
    if address := os.environ.get("DOCKER_HOST"):
        return Endpoint(address=address, setting="DOCKER_HOST")
    chosen = os.environ.get("DOCKER_CONTEXT", "")
    asked = run(["docker", "context", "inspect"], timeout=_ASK_TIMEOUT_S)
    if "context not found" in asked.err:
        name = chosen or "chosen with `docker context use`"
        raise StackError(
            f"the Docker context {name} does not exist: `docker context ls` lists them, "
            + ("correct DOCKER_CONTEXT" if chosen else "`docker context use` chooses one")
        )
    try:
        (found,) = json.loads(asked.out)
        name = str(found["Name"])
        address = str(found["Endpoints"]["docker"]["Host"])
    except (ValueError, KeyError, TypeError):
        # Podman's imitation of the client has no contexts.
        return Endpoint(address=SYSTEM_SOCKET)
    if name == "default":
        return Endpoint(address=address)
    setting = f"DOCKER_CONTEXT={name}" if chosen else f"the Docker context {name}"
    return Endpoint(address=address, setting=setting, context=name)
