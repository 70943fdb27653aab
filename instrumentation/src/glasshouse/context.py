"""Request and correlation ids, carried in the OpenTelemetry context.

The request id names one HTTP request. The correlation id names everything that one cause
set off: it is handed on to jobs, and to further requests that send it along. What the clock or a
script sets off has a correlation id alone.
"""

import os
import re
from collections.abc import Mapping, MutableMapping
from typing import Any, ClassVar, Final, NamedTuple

from opentelemetry.context import Context, create_key

from glasshouse.runtime_context import get_current, with_value

REQUEST_ID_HEADER: Final = "X-Request-ID"
CORRELATION_ID_HEADER: Final = "X-Correlation-ID"
REQUEST_ID_ATTRIBUTE: Final = "request.id"
CORRELATION_ID_ATTRIBUTE: Final = "correlation.id"

# Safe to log and to send back in a header, and never a bare number, which could be a card
# or a phone number.
_VALID_ID: Final = re.compile(r"(?=[^A-Za-z]*[A-Za-z])[A-Za-z0-9_-]{8,64}", re.ASCII)
# Under this key a context holds the ids.
IDS: Final = create_key("glasshouse.ids")
# Random ids that nobody has yet. The system is asked for many at a time: each question costs more
# than all else that is done for a request's ids.
_fresh: Final[list[str]] = []
# Two processes have none in common.
os.register_at_fork(after_in_child=_fresh.clear)
_ID_BYTES: Final = 16
_AT_A_TIME: Final = 64
# Of one generation, of which two are known: a span may wait in a queue, and be a long one.
_MOST_KNOWN: Final = 8192
OWN_ID_LENGTH: Final = 2 * _ID_BYTES


_tuple: Final[Any] = tuple[Any, ...].__new__


class Ids(NamedTuple):
    """The ids of one flow: both are 8 to 64 characters of ``A-Z a-z 0-9 _ -``.

    ``request`` is empty where no request began the flow.
    """

    request: str
    correlation: str


class _Own:
    """Ids that were made here of late. Both are replaced, and not emptied."""

    young: ClassVar[set[str]] = set()
    old: ClassVar[set[str]] = set()


def new_id() -> str:
    """Return 32 random hex digits. No dashes, so that no part of it looks like a number."""
    try:
        return _fresh.pop()
    except IndexError:
        text = os.urandom(_ID_BYTES * _AT_A_TIME).hex()
        size = OWN_ID_LENGTH
        made = [text[start : start + size] for start in range(0, len(text), size)]
        if len(_Own.young) >= _MOST_KNOWN:
            _Own.old, _Own.young = _Own.young, set()
        _Own.young.update(made)
        own = made.pop()
        _fresh.extend(made)
        return own


def is_own_id(text: str) -> bool:
    """Return whether `new_id` has made this id, so that it says nothing about anybody.

    False says nothing: only the last some thousands are known.
    """
    return text in _Own.young or text in _Own.old


def is_valid_id(value: str) -> bool:
    """Return whether an id received from outside may be used as it is."""
    return bool(value) and _VALID_ID.fullmatch(value) is not None


def current_ids(context: Context | None = None) -> Ids | None:
    """Return the ids in ``context``, by default in the current one, or ``None``."""
    value = (get_current() if context is None else context).get(IDS)
    return value if isinstance(value, Ids) else None


def with_ids(ids: Ids, context: Context | None = None) -> Context:
    """Return ``context``, by default the current one, with ``ids`` in it."""
    return with_value(IDS, ids, context)


def in_flow(context: Context | None = None) -> Context:
    """Return ``context``, by default the current one, with a flow of its own if it is in none."""
    if current_ids(context) is None:
        return with_ids(Ids("", new_id()), context)
    return get_current() if context is None else context


def ids_of_request(request: str, correlation: str, present: Ids | None) -> Ids:
    """Return the ids of one HTTP request, from what its headers say.

    A valid request id is kept. Else ``present`` holds, which an outer layer has made for the same
    request. Else one is made here. Without a valid correlation id the request id serves as one.
    """
    if not is_valid_id(request):
        if present is not None and present.request:
            return present
        request = new_id()
    return Ids(request, correlation if is_valid_id(correlation) else request)


def ids_of_new_request(present: object) -> Ids:
    """Return what `ids_of_request` does for one whose headers have neither id."""
    if isinstance(present, Ids) and present.request:
        return present
    made = new_id()
    # Not by its constructor, which is a call of Python's.
    return _tuple(Ids, (made, made))


def request_id() -> str | None:
    """Return the id of the request being served, or whose job is running; else ``None``."""
    ids = current_ids()
    return (ids.request or None) if ids else None


def correlation_id() -> str | None:
    """Return the current flow's correlation id, or ``None`` outside of any flow."""
    ids = current_ids()
    return ids.correlation if ids else None


def attributes_of(context: Context | None = None) -> dict[str, str]:
    """Return the ids as span or log attributes; empty outside of any flow."""
    ids = current_ids(context)
    if ids is None:
        return {}
    found = {REQUEST_ID_ATTRIBUTE: ids.request} if ids.request else {}
    return {**found, CORRELATION_ID_ATTRIBUTE: ids.correlation}


def inject_ids(carrier: MutableMapping[str, str]) -> None:
    """Write the current ids into ``carrier``, for a job or a message."""
    carrier.update(attributes_of())


def extract_ids(carrier: Mapping[str, str], context: Context) -> Context:
    """Return ``context`` with the ids found in ``carrier``; unchanged if none are valid."""
    ids = ids_of_message(
        carrier.get(REQUEST_ID_ATTRIBUTE, ""), carrier.get(CORRELATION_ID_ATTRIBUTE, "")
    )
    return context if ids is None else with_ids(ids, context)


def ids_of_message(request: str, correlation: str) -> Ids | None:
    """Return the ids that a job or a message brought; ``None`` without a valid correlation id."""
    if not is_valid_id(correlation):
        return None
    return Ids(request if is_valid_id(request) else "", correlation)
