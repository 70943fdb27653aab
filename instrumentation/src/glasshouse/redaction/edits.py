"""Replacements within a text."""

from collections.abc import Sequence
from typing import NamedTuple


class Edit(NamedTuple):
    """``text[start:end]`` becomes ``mask``."""

    start: int
    end: int
    mask: bytes


def spliced(text: bytes, edits: Sequence[Edit]) -> bytes:
    """Return the text with all edits made; they stand in order and do not overlap."""
    out: list[bytes] = []
    kept = 0
    for edit in edits:
        out += (text[kept : edit.start], edit.mask)
        kept = edit.end
    return b"".join((*out, text[kept:]))
