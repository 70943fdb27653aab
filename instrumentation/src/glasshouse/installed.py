"""What installed packages offer, read once for a process: a scan reads a file of each package."""

import functools
import importlib.metadata
from importlib.metadata import EntryPoints
from typing import Any, cast


@functools.cache
def _all() -> dict[str, EntryPoints]:
    # Of another type before Python 3.12, but with the same ways to select.
    found = cast(Any, importlib.metadata.entry_points())
    every = list(cast(EntryPoints, found.select()))
    groups = {entry.group for entry in every}
    return {group: EntryPoints(one for one in every if one.group == group) for group in groups}


def entry_points(*, group: str, name: str | None = None) -> EntryPoints:
    """Return the entry points of a group, or those of it that have this name."""
    found = _all().get(group, EntryPoints())
    return found if name is None else found.select(name=name)
