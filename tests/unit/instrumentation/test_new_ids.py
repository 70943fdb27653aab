"""No id is given out twice: not to threads, and not to a process and its children."""

import os
import re
from concurrent.futures import ThreadPoolExecutor

from glasshouse.context import is_valid_id, new_id

# More than are made at a time, and no multiple of it.
MANY = 1_000


def drawn(count: int) -> list[str]:
    return [new_id() for _ in range(count)]


def test_ids_are_32_hex_digits_and_differ() -> None:
    found = drawn(MANY)
    assert len(set(found)) == MANY
    assert all(re.fullmatch("[0-9a-f]{32}", one) and is_valid_id(one) for one in found)


def test_threads_get_different_ones() -> None:
    with ThreadPoolExecutor(8) as threads:
        found = [one for some in threads.map(drawn, [MANY] * 8) for one in some]
    assert len(set(found)) == 8 * MANY


def test_a_child_has_none_of_its_parents() -> None:
    new_id()
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writable, " ".join(drawn(100)).encode())
        os._exit(0)
    os.close(writable)
    with os.fdopen(readable) as pipe:
        theirs = pipe.read().split()
    os.waitpid(child, 0)
    assert len(theirs) == 100
    assert not set(theirs) & set(drawn(100))
