"""Makes sure of a Docker Engine that answers, and asks it about images."""

from __future__ import annotations

from glasshouse_cli.engine.facts import Facts, is_podman, sentence, server
from glasshouse_cli.engine.starting import ensure
from glasshouse_cli.errors import StackError
from glasshouse_cli.process import run

_ASK_TIMEOUT_S = 20.0

__all__ = ["Facts", "ensure", "has_volume", "image_size", "version"]


def version() -> str:
    """The engine's name and version. Raises StackError when it does not answer."""
    found, answer = server()
    if found is None:
        raise StackError(f"the Docker engine does not answer: {sentence(answer)}")
    return f"{'Podman' if is_podman(found) else 'Docker'} {found['Version']}"


def image_size(tag: str) -> int | None:
    """The image's size in bytes, None when the engine does not have it."""
    command = ["docker", "image", "inspect", "--format", "{{.Size}}", tag]
    answer = run(command, timeout=_ASK_TIMEOUT_S)
    return int(answer.out) if answer.ok else None


def has_volume(name: str) -> bool:
    """Whether the engine has a named volume of this name."""
    return run(["docker", "volume", "inspect", name], timeout=_ASK_TIMEOUT_S).ok
