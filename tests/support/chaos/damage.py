"""What may be lost of a queue's file: the ids that stand on its damaged pages, and no others.

https://github.com/etcd-io/bbolt/blob/main/internal/common/page.go has the pages' form.
"""

import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

from support.chaos.rig import STORED, Rig, queue_file

PAGE = 4096
# Of a page: its number, what it is, how many elements it has, how many pages belong to it.
HEADER = struct.Struct("=QHHI")
LEAF = 0x02
# A text as protobuf has it in a value: its length, then itself. Here one that is an id of the load.
TEXT = re.compile(rb"\x0a(.)(?=[0-9a-z]+-[a-z]\d+-\d)", re.DOTALL)


def note(rig: Rig, backend: str, damage: Callable[[Path], None]) -> None:
    """Damage the file of a backend's queue; note what may be lost by it."""
    path = queue_file(rig, backend)
    before = path.read_bytes()
    damage(path)
    after = path.read_bytes() if path.is_file() else b""
    waiting: set[str] = set()
    for signal in (one for one, place in STORED.items() if place == backend):
        waiting |= rig.ledger.lost(signal, rig.arrivals(signal))
    rig.may_be_lost = on_damaged_pages(before, after)
    rig.noted |= {
        "waiting": len(waiting),
        "on_damaged_pages": len(waiting & rig.may_be_lost),
    }


def reported(rig: Rig) -> dict[str, float]:
    """Return how much was lost that stood on no damaged page."""
    if rig.may_be_lost is None:
        return {}
    lost: set[str] = set()
    for signal in STORED:
        lost |= rig.ledger.lost(signal, rig.arrivals(signal))
    return {"lost_elsewhere": len(lost - rig.may_be_lost)}


def on_damaged_pages(before: bytes, after: bytes) -> set[str]:
    """Return the ids in leaves of which a page is not as it was, or is not there."""
    found: set[str] = set()
    for begin, end in _leaves(before):
        if before[begin:end] != after[begin:end]:
            found |= set(ids(before[begin:end]))
    return found


def ids(data: bytes) -> Iterator[str]:
    for one in TEXT.finditer(data):
        yield data[one.end() : one.end() + one[1][0]].decode(errors="replace")


def _leaves(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield where each leaf begins and ends; former states of leaves, too."""
    for number in range(len(data) // PAGE):
        begin = number * PAGE
        itself, kind, _, more = HEADER.unpack_from(data, begin)
        if itself == number and kind == LEAF:
            yield begin, min(begin + (1 + more) * PAGE, len(data))
