"""Strings of one list that are read together, as the arguments of a command."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

from glasshouse.redaction.edits import Edit

# On a command line some characters would end an item, and an empty one would not be there: these
# stand for them, the second since no value begins so.
_WITHIN: Final = b"\x01"
_EMPTY: Final = b"-"
_ENDING: Final = bytes.maketrans(b" \t\r\n\f\v\"'|;<>&\\#(", _WITHIN * 16)


def are_arguments(items: Sequence[bytes]) -> bool:
    """Return whether strings are worth a look: an option is among them."""
    return len(items) > 1 and any(len(item) > 1 and item.startswith(b"-") for item in items)


def joined(items: Sequence[bytes]) -> tuple[bytes, list[int]]:
    """Return the items with a blank between them, each as long as it is, and where they start."""
    parts = [item.translate(_ENDING) or _EMPTY for item in items]
    starts: list[int] = []
    at = 0
    for part in parts:
        starts.append(at)
        at += len(part) + 1
    return b" ".join(parts), starts


def mask(items: list[bytes], edits: Sequence[Edit], starts: Sequence[int]) -> None:
    """Make the edits, each to the end of its item."""
    last = -1
    for edit in edits:
        place = bisect_right(starts, edit.start) - 1
        if place != last:
            items[place] = items[place][: edit.start - starts[place]] + edit.mask
            last = place
