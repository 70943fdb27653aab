"""What installed packages offer and which version they have, read once: a scan reads many files."""

import functools
import importlib.metadata
from importlib.metadata import EntryPoints, PackageNotFoundError


@functools.cache
def _every() -> EntryPoints:
    found = importlib.metadata.entry_points()
    if isinstance(found, EntryPoints):
        return found
    # Python 3.11 returns lists by group, of which asking for `values` is deprecated.
    lists = (dict[str, EntryPoints]).values(found)
    return EntryPoints(entry for entries in lists for entry in entries)


@functools.cache
def _of(group: str) -> EntryPoints:
    return _every().select(group=group)


def entry_points(*, group: str, name: str | None = None) -> EntryPoints:
    """Return the entry points of a group, or those of it that have this name."""
    return _of(group) if name is None else _of(group).select(name=name)


@functools.cache
def version_of(distribution: str) -> str | None:
    """Return the installed version of a distribution; ``None`` where it is not installed.

    The line alone is read: the standard library parses all of the metadata, with the description.
    """
    try:
        found = importlib.metadata.distribution(distribution)
    except PackageNotFoundError:
        return None
    text = found.read_text("METADATA")
    if not text:
        # Of an older form.
        return found.version
    for line in text.partition("\n\n")[0].splitlines():
        name, _, value = line.partition(":")
        if name.lower() == "version":
            return value.strip()
    return None
