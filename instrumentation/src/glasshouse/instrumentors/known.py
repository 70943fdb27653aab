"""Whether private code of another package is the code that we know, word for word."""

import hashlib
from pathlib import Path
from typing import Any


def digest(module: Any, start: bytes = b"", end: bytes = b"") -> str | None:
    """Return the SHA-256 of a module's source, ``None`` where it is installed without.

    With ``start`` and ``end``: of what is from the one to before the other.
    """
    try:
        source = Path(str(module.__file__)).read_bytes()
    except OSError:
        return None
    if start:
        first = source.find(start)
        source = source[first : source.find(end, first)]
    return hashlib.sha256(source).hexdigest()


def is_own(function: Any, module: str) -> bool:
    """Return whether a function is its module's own: nobody has put another in its place."""
    return (
        hasattr(function, "__code__")
        and not hasattr(function, "__wrapped__")
        and function.__globals__.get("__name__") == module
    )
