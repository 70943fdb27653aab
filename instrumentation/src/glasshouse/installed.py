"""What installed packages offer, read once for each group: a scan reads a file of each package."""

import functools
import importlib.metadata
from importlib.metadata import EntryPoints


@functools.cache
def _of(group: str) -> EntryPoints:
    return importlib.metadata.entry_points(group=group)


def entry_points(*, group: str, name: str | None = None) -> EntryPoints:
    """Return the entry points of a group, or those of it that have this name."""
    return _of(group) if name is None else _of(group).select(name=name)
