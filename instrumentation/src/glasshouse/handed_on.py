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

# The standard library's name here.
LIBRARY: Final = "logging"

Message = str | logging.LogRecord


class _Given(NamedTuple):
    library: str
    texts: list[Message]


_GIVEN: Final[ContextVar[tuple[_Given, ...]]] = ContextVar("glasshouse.handed-on", default=())


@contextlib.contextmanager
def handing_on(library: str, *texts: Message) -> Generator[list[Message]]:
    """Mark what a library's handlers are given while they run: the record or its texts.

    What is known only later is added to the list that this yields.
    """
    given = _Given(library, list(texts))
    token = _GIVEN.set((*_GIVEN.get(), given))
    try:
        yield given.texts
    finally:
        _GIVEN.reset(token)


def is_handed_on(library: str, message: Message) -> bool:
    """Return whether a message of ``library`` repeats one that another library is handling.

    The same text counts, also with something in front of it, such as the logger's name.
    """
    given = [one for each in _GIVEN.get() if each.library != library for one in each.texts]
    if not given:
        return False
    text = _text(message)
    return any(_repeats(text, _text(one)) for one in given)


def _text(message: Message) -> str:
    try:
        return (message.getMessage() if isinstance(message, logging.LogRecord) else message).strip()
    except Exception:  # noqa: BLE001 (the application's objects are formatted here)
        return ""


def _repeats(text: str, given: str) -> bool:
    return text.endswith(given) if given else not text
