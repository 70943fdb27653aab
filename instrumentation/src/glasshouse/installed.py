"""What installed packages offer, read once for a process: a scan reads a file of each package."""

import functools
import importlib.metadata
from importlib.metadata import EntryPoints


@functools.cache
def _all() -> EntryPoints:
    return importlib.metadata.entry_points()


def entry_points(**parameters: str) -> EntryPoints:
    """Return the entry points of a ``group``, and of a ``name`` if one is given."""
    return _all().select(**parameters)
