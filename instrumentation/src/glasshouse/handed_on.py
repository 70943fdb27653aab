"""Which record is being handed from one logging library to another, so that it is sent once.

An application may route the standard library's records into loguru, or the other way around. Each
library's records are exported where they are made, and what a handler then passes on is the same
record again.
"""

import contextlib
import logging
from collections.abc import Generator
from contextvars import ContextVar
from typing import Final, NamedTuple


class _Given(NamedTuple):
    library: str
    texts: list[str | logging.LogRecord]


_GIVEN: Final[ContextVar[tuple[_Given, ...]]] = ContextVar("glasshouse.handed-on", default=())


@contextlib.contextmanager
def handing_on(
    library: str, *texts: str | logging.LogRecord
) -> Generator[list[str | logging.LogRecord]]:
    """Mark what a library's handlers are given while they run: the record or its texts.

    What is known only later is added to the list that this yields.
    """
    given = _Given(library, list(texts))
    token = _GIVEN.set((*_GIVEN.get(), given))
    try:
        yield given.texts
    finally:
        _GIVEN.reset(token)


def is_handed_on(library: str, text: str) -> bool:
    """Return whether a record of ``library`` repeats one that another library is handling.

    The same text counts, also with something in front of it, such as the logger's name.
    """
    return any(
        given.library != library and any(_repeats(text, one) for one in given.texts)
        for given in _GIVEN.get()
    )


def _repeats(text: str, given: str | logging.LogRecord) -> bool:
    if isinstance(given, logging.LogRecord):
        try:
            given = given.getMessage()
        except Exception:  # noqa: BLE001 (the application's objects are formatted here)
            return False
    text, given = text.strip(), given.strip()
    return text.endswith(given) if given else not text
