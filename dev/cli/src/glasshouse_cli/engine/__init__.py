"""Makes sure of a Docker Engine that answers, and asks it about images."""

from __future__ import annotations

import json
from collections.abc import Iterable

from glasshouse_cli.engine.facts import Facts, is_podman, sentence, server
from glasshouse_cli.engine.starting import ensure
from glasshouse_cli.errors import StackError
from glasshouse_cli.process import run

_ASK_TIMEOUT_S = 20.0

__all__ = ["Facts", "ensure", "has_volume", "image_size", "image_sizes", "version"]


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


def image_sizes(tags: Iterable[str]) -> dict[str, int | None]:
    """As `image_size`, of many in one question: a hundredth of a second each instead of a tenth."""
    tags = sorted({*tags})
    if not tags:
        return {}
    command = ["docker", "image", "inspect", "--format", "{{json .RepoTags}}\t{{.Size}}", *tags]
    answer = run(command, timeout=_ASK_TIMEOUT_S)
    sizes: dict[str, int | None] = {}
    for line in answer.out.splitlines():
        names, known, size = line.partition("\t")
        if known:  # Docker 20.10 writes an empty line where it knows none of them
            sizes |= dict.fromkeys(json.loads(names) or (), int(size))
    missing = {word.rstrip(":") for word in answer.err.split()}
    # An engine may call an image by another name than we do, or word its answer in another way.
    return {
        tag: sizes[tag] if tag in sizes else None if tag in missing else image_size(tag)
        for tag in tags
    }


def has_volume(name: str) -> bool:
    """Whether the engine has a named volume of this name."""
    return run(["docker", "volume", "inspect", name], timeout=_ASK_TIMEOUT_S).ok
