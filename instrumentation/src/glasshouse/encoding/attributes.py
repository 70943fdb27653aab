"""Attributes and texts, redacted and encoded at once. What was clean before is looked up.

A value that was redacted is not remembered: its pseudonym changes with the key.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from glasshouse.context import (
    CORRELATION_ID_ATTRIBUTE,
    OWN_ID_LENGTH,
    REQUEST_ID_ATTRIBUTE,
    is_own_id,
)
from glasshouse.encoding import values
from glasshouse.encoding.memory import Memory
from glasshouse.encoding.wire import sized
from glasshouse.redaction.telemetry import TelemetryRedactor, plain

# Longer texts seldom repeat.
_LONGEST: Final = 1024
# What is remembered of each kind, in one generation.
_MOST: Final = 1024
_MOST_BYTES: Final = 128 * 1024
_MOST_NAMES: Final = 512
_MOST_INTEGERS: Final = 512
# New with each request or trace: they would displace what repeats. But the spans of one request
# come one after the other.
_ID: Final = re.compile(
    r"[0-9a-fA-F]{32}|[0-9a-fA-F]{16}"
    r"|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
).fullmatch
_ID_LENGTHS: Final = frozenset({16, 32, 36})
_RECENT_IDS: Final = 64
# Those that this package puts on every record. Redaction has nothing to find in a random id, unless
# a policy hides whatever stands under the name.
_OWN_IDS: Final = (REQUEST_ID_ATTRIBUTE, CORRELATION_ID_ATTRIBUTE)
_AN_ID: Final = "0af7651916cd43dd8448eb211c80319c"
_TRUE: Final = sized(values.TRUE)
_FALSE: Final = sized(values.FALSE)


class Attributes:
    """Encodes attributes as the repeated field that ``tag`` names.

    redactor: None for attributes that have been redacted already.
    """

    def __init__(self, tag: bytes, redactor: TelemetryRedactor | None) -> None:
        self._tag = tag
        self._redactor = redactor
        self._keys = Memory(_MOST_NAMES, _MOST_BYTES)
        self._texts = Memory(_MOST, _MOST_BYTES)
        # Apart, since 1 == True == 1.0.
        self._integers = Memory(_MOST_INTEGERS, _MOST_BYTES)
        self._ids = Memory(_RECENT_IDS, _MOST_BYTES)
        self._beginnings = Memory(_MOST_NAMES, _MOST_BYTES)
        # By name, all but the text of an id that was made here.
        self._own = {name: found for name in _OWN_IDS if (found := self._own_beginning(name))}

    def extend(self, out: list[bytes], given: Mapping[str, Any] | None) -> None:
        """Append the fields of all attributes.

        Raises:
            TypeError, ValueError: what was not redacted does not fit.
        """
        if not given:
            return
        attributes: dict[str, Any] = cast(Any, given) if type(given) is dict else plain(given)
        start = len(out)
        texts, integers, own = self._texts.young, self._integers.young, self._own
        for pair in attributes.items():
            key, value = pair
            kind = type(value)
            found = None
            # A text of another class may pass for one that is remembered.
            if type(key) is str:
                if kind is str:
                    found = texts.get(pair)
                    if found is None and key in own and is_own_id(value):
                        found = own[key] + value.encode()
                elif kind is int:
                    found = integers.get(pair)
            if found is None:
                found = self._field(pair, kind)
            if found is None:
                # Two names may become one.
                out[start:] = self._renamed(attributes)
                return
            out.append(found)

    def field(self, key: Any, value: Any) -> bytes | None:
        """Return the field of an attribute; None if its name has to change."""
        return self._field((key, value), cast(type[Any], type(value)))

    def head(self, key: str) -> bytes | None:
        """Return the beginning of a `KeyValue`; None if the name has to change."""
        return self._head(key)

    def _renamed(self, attributes: Mapping[str, Any]) -> list[bytes]:
        redacted = attributes if self._redactor is None else self._redactor.attributes(attributes)
        return [
            self._tag + sized(values.pair(name, value)) for name, value in (redacted or {}).items()
        ]

    def _field(self, pair: tuple[str, Any], kind: type[Any]) -> bytes | None:
        """Return the field of an attribute; None if its name has to change."""
        key, value = pair
        head = self._head(key)
        if head is None:
            return None
        if kind is bool:
            return self._tag + sized(head + (_TRUE if value else _FALSE))
        memory = self._memory(kind, value) if type(key) is str else None
        if memory is not None and (found := memory.get(pair)) is not None:
            return found
        new = value if self._redactor is None else self._redactor.attribute(key, value)
        if memory is None:
            return self._tag + sized(head + sized(values.any_value(new)))
        if memory is self._ids and new is value:
            field = self._beginning(key, head, len(value)) + value.encode()
        else:
            field = self._tag + sized(head + sized(values.any_value(new)))
        if new is value:
            memory.put(pair, field, 2 * len(field))
        return field

    def _memory(self, kind: type[Any], value: Any) -> Memory | None:
        if kind is str:
            length = len(value)
            if length in _ID_LENGTHS and _ID(value):
                return self._ids
            return self._texts if length <= _LONGEST else None
        return self._integers if kind is int else None

    def _beginning(self, key: str, head: bytes, length: int) -> bytes:
        """Return all but the text of the field of an ASCII text that has this length."""
        place = (key, length)
        found = self._beginnings.get(place)
        if found is None:
            text = head + sized(b"\x0a" + sized(bytes(length)))
            found = (self._tag + sized(text))[:-length]
            self._beginnings.put(place, found, 2 * len(found))
        return found

    def _own_beginning(self, key: str) -> bytes | None:
        head = self._head(key)
        if head is None:
            return None
        if self._redactor is not None and self._redactor.attribute(key, _AN_ID) is not _AN_ID:
            return None
        return self._beginning(key, head, OWN_ID_LENGTH)

    def _head(self, key: str) -> bytes | None:
        is_text = type(key) is str
        found = self._keys.young.get(key) if is_text else None
        if found is not None:
            return found
        if self._redactor is not None:
            if not is_text or self._redactor.name(key) != key:
                return None
        elif not isinstance(key, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may hand over anything
            message = "a name that is no text"
            raise TypeError(message)
        head = values.key(key)
        if is_text and len(key) <= _LONGEST:
            self._keys.put(key, head, 2 * len(head))
        return head


class Texts:
    """Encodes texts, each behind its length.

    check: redacts a text and makes it fit; None for texts to which that was done before.
    """

    def __init__(self, check: Callable[[str], Any] | None) -> None:
        self._check = check
        self._memory = Memory(_MOST, _MOST_BYTES)

    def sized(self, text: str) -> bytes:
        """Return a text behind its length.

        Raises:
            TypeError, ValueError: what was not redacted does not fit.
        """
        if type(text) is not str:
            return sized(str.encode(self._checked(text)))
        found = self._memory.young.get(text) or self._memory.get(text)
        if found is None:
            new = self._checked(text)
            found = sized(new.encode())
            if new == text and len(text) <= _LONGEST:
                self._memory.put(text, found, 2 * len(found))
        return found

    def _checked(self, text: str) -> str:
        return text if self._check is None else self._check(text)
