"""JSON inside a string, walked and changed in place: every byte outside of a hit stays."""

import re
from collections.abc import Callable
from typing import Final, Protocol

from glasshouse.redaction import budget
from glasshouse.redaction.keys import NO_KEY, KeyInfo
from glasshouse.redaction.long_match import LongMatch
from glasshouse.redaction.parts import (
    KIND,
    SECRET,
    holds_name,
    holds_value,
    is_secret_member,
    may_be_secret,
)

_SPACE: Final = b" \t\r\n"
_LAST_BLANK: Final = 0x20
_SKIP: Final = re.compile(rb"[ \t\r\n]*")
_NUMBER: Final = re.compile(rb"-?(?:0|[1-9][0-9]*|[0-9]+)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_STRING: Final = LongMatch(
    r'"[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})[^"\\\x00-\x1f]*)*"'
)
_WORD: Final = re.compile(rb"true|false|null")
_ESCAPE: Final = re.compile(rb"\\(?:u([0-9A-Fa-f]{4})|(.))", re.DOTALL)
_SIMPLE: Final = {b"b": "\b", b"f": "\f", b"n": "\n", b"r": "\r", b"t": "\t"}
_TO_ESCAPE: Final = re.compile(rb'["\\\x00-\x1f]')
_SHORT: Final = {b"\n": b"\\n", b"\r": b"\\r", b"\t": b"\\t"}


def prepare() -> None:
    """Compile what is otherwise compiled at its first use."""
    _STRING.prepare()


class NotJsonError(Exception):
    """The text is no JSON, or nested too deeply."""


def looks_like_json(text: bytes) -> bool:
    """The cheap test before the walk."""
    inner = text.strip(_SPACE)
    return len(inner) > 1 and (inner[:1], inner[-1:]) in ((b"{", b"}"), (b"[", b"]"))


def unescape(body: bytes) -> bytes:
    """Decode the inside of a valid JSON string; a lone surrogate becomes U+FFFD."""
    if b"\\" not in body:
        return body
    out = bytearray()
    pos, size = 0, len(body)
    while pos < size:
        budget.step()
        # Not by a pattern, which would read slowly to the next one.
        at = body.find(b"\\", pos)
        found = _ESCAPE.match(body, at) if at >= 0 else None
        if found is None:
            break
        out += body[pos : found.start()]
        pos = found.end()
        if found[1] is None:
            out += _SIMPLE[found[2]].encode() if found[2] in _SIMPLE else found[2]
            continue
        code = int(found[1], 16)
        if 0xD800 <= code < 0xE000:
            low = _ESCAPE.match(body, pos)
            if code < 0xDC00 and low and low[1] and 0xDC00 <= int(low[1], 16) < 0xE000:
                code = 0x10000 + (code - 0xD800 << 10) + int(low[1], 16) - 0xDC00
                pos = low.end()
            else:
                code = 0xFFFD
        out += chr(code).encode()
    out += body[pos:]
    return bytes(out)


def quote(text: bytes) -> bytes:
    """Write a JSON string."""

    def escaped(match: re.Match[bytes]) -> bytes:
        budget.step()
        c = match.group()
        if c in (b'"', b"\\"):
            return b"\\" + c
        return _SHORT.get(c) or b"\\u00%02x" % c[0]

    parts = (text[start:end] for start, end in budget.stretches(len(text)))
    return b'"' + b"".join(_TO_ESCAPE.sub(escaped, part) for part in parts) + b'"'


# What the walk asks of the engine: the value of a string under a key, of a number, of a name.
OnString = Callable[[KeyInfo, bytes], bytes | None]
OnNumber = Callable[[KeyInfo, bytes, bool], bytes | None]
OnName = Callable[[bytes], tuple[KeyInfo, bytes | None]]
OnSecret = Callable[[KeyInfo], bytes]


class OnParts(Protocol):
    """What the walk asks of names and values that stand apart."""

    def key_info(self, key: str) -> KeyInfo: ...

    def names(self, name: str) -> bool: ...

    def names_pair(self, name: bytes, value: bytes | None) -> bool: ...

    def arguments(self, items: list[bytes], count: Callable[[str], None]) -> None: ...


class Walk:
    """One JSON text. ``run`` returns it changed, or ``None`` when nothing was."""

    def __init__(
        self,
        text: bytes,
        max_depth: int,
        on_string: OnString,
        on_number: OnNumber,
        on_name: OnName,
        on_secret: OnSecret,
        parts: OnParts,
        count: Callable[[str], None],
    ) -> None:
        self._text = text
        self._max_depth = max_depth
        self._on_string = on_string
        self._on_number = on_number
        self._on_name = on_name
        self._on_secret = on_secret
        self._parts = parts
        self._count = count
        self._changes: list[tuple[int, int, bytes]] = []

    def run(self, key: KeyInfo = NO_KEY) -> bytes | None:
        """Raises NotJsonError; nothing has been asked of the engine then."""
        end = self._skip(self._check(self._skip(0), 0))
        if end != len(self._text):
            raise NotJsonError
        self._value(self._skip(0), key)
        if not self._changes:
            return None
        out: list[bytes] = []
        kept = 0
        for start, stop, replacement in self._changes:
            out += (self._text[kept:start], quote(replacement))
            kept = stop
        return b"".join((*out, self._text[kept:]))

    def _skip(self, at: int) -> int:
        # Most places hold no blank, and to ask a pattern costs three times as much.
        if at < len(self._text) and self._text[at] > _LAST_BLANK:
            return at
        found = _SKIP.match(self._text, at)
        return found.end() if found else at

    def _check(self, at: int, level: int) -> int:
        """Return the end of the value at ``at``, which must be valid."""
        budget.ask()
        first = self._text[at : at + 1]
        if first in (b"{", b"["):
            if level + 1 > self._max_depth:
                raise NotJsonError
            return self._check_container(at, level + 1)
        pattern = _STRING if first == b'"' else _NUMBER if first in b"-0123456789" else _WORD
        found = pattern.match(self._text, at) if first else None
        if found is None or (pattern is _NUMBER and not _is_number(found.group())):
            raise NotJsonError
        return found.end()

    def _check_container(self, at: int, level: int) -> int:
        named = self._text[at : at + 1] == b"{"
        closing = b"}" if named else b"]"
        at = self._skip(at + 1)
        if self._text[at : at + 1] == closing:
            return at + 1
        while True:
            if named:
                name = _STRING.match(self._text, self._skip(at))
                if name is None:
                    raise NotJsonError
                at = self._skip(name.end())
                if self._text[at : at + 1] != b":":
                    raise NotJsonError
                at += 1
            at = self._skip(self._check(self._skip(at), level))
            follower = self._text[at : at + 1]
            if follower == closing:
                return at + 1
            if follower != b",":
                raise NotJsonError
            at += 1

    def _value(self, at: int, key: KeyInfo, *, within: bool = False) -> int:
        """Treat the value at ``at``, which is valid; return its end."""
        budget.ask()
        text = self._text
        first = text[at : at + 1]
        if first in (b"{", b"["):
            if key.secret is not None and key.secret.takes_whole:
                end = self._check_container(at, -self._max_depth)
                if text[at + 1 : end - 1].strip(_SPACE):
                    self._changes.append((at, end, self._on_secret(key)))
                return end
            if first == b"{":
                return self._object(at)
            return self._array(at, key, within)
        if first == b'"':
            found = _STRING.match(text, at)
            assert found is not None  # noqa: S101 (checked by _check)
            end = found.end()
            content = unescape(text[at + 1 : end - 1])
            changed = self._on_string(key, content) if content else None
        elif first in b"-0123456789":
            number = _NUMBER.match(text, at)
            assert number is not None  # noqa: S101 (checked by _check)
            whole = number[1] is None and number[2] is None
            changed, end = self._on_number(key, number.group(), whole), number.end()
        else:
            return at + (5 if first == b"f" else 4)
        if changed is not None:
            self._changes.append((at, end, changed))
        return end

    def _object(self, start: int) -> int:
        text = self._text
        at = self._skip(start + 1)
        if text[at : at + 1] == b"}":
            return at + 1
        siblings: tuple[str | None, str] | None = None
        while True:
            at = self._skip(at)
            member, after = self._content(at)
            inner, changed = self._on_name(member)
            if changed is not None:
                self._changes.append((at, after, changed))
            name = member.decode("utf-8", "replace")
            value = holds_value(name)
            if value or may_be_secret(name):
                siblings = siblings or self._siblings(start)
                if value and siblings[0] is not None:
                    inner = self._parts.key_info(siblings[0])
                elif is_secret_member(siblings[1], name):
                    inner = self._parts.key_info(SECRET)
            at = self._skip(self._value(self._skip(self._skip(after) + 1), inner))
            if text[at : at + 1] == b"}":
                return at + 1
            at += 1

    def _array(self, start: int, key: KeyInfo, within: bool) -> int:
        text = self._text
        at = self._skip(start + 1)
        if text[at : at + 1] == b"]":
            return at + 1
        pair = self._pair_key(at) if within else None
        items = None if pair else self._arguments(at)
        place = 0
        while True:
            at = self._skip(at)
            if items is not None:
                at = self._argument(at, key, items[place])
            else:
                at = self._value(at, pair if pair and place else key, within=True)
            at = self._skip(at)
            if text[at : at + 1] == b"]":
                return at + 1
            at += 1
            place += 1

    def _content(self, at: int) -> tuple[bytes, int]:
        """Return what the string at ``at`` holds, and its end."""
        found = _STRING.match(self._text, at)
        assert found is not None  # noqa: S101 (checked by _check)
        end = found.end()
        return unescape(self._text[at + 1 : end - 1]), end

    def _end(self, at: int) -> int:
        return self._check(at, -len(self._text))

    def _siblings(self, start: int) -> tuple[str | None, str]:
        """Return the name that a member of the object at ``start`` holds, and its kind."""
        text, named, kind = self._text, None, ""
        at = self._skip(start + 1)
        while text[at : at + 1] != b"}":
            member, at = self._content(at)
            at = self._skip(self._skip(at) + 1)
            name = member.decode("utf-8", "replace")
            if name == KIND:
                held = self._content(at)[0] if text[at : at + 1] == b'"' else b""
                kind = held.decode("utf-8", "replace")
            elif named is None and holds_name(name):
                held = self._last_text(at).decode("utf-8", "replace")
                named = held if self._parts.names(held) else None
            at = self._skip(self._end(at))
            at = self._skip(at + 1) if text[at : at + 1] == b"," else at
        return named, kind

    def _last_text(self, at: int) -> bytes:
        """Return the string at ``at``, or the last item of the array there where it is one."""
        text, last = self._text, b""
        if text[at : at + 1] == b'"':
            return self._content(at)[0]
        if text[at : at + 1] != b"[":
            return b""
        at = self._skip(at + 1)
        while text[at : at + 1] != b"]":
            last = self._content(at)[0] if text[at : at + 1] == b'"' else b""
            at = self._skip(self._end(at))
            at = self._skip(at + 1) if text[at : at + 1] == b"," else at
        return last

    def _pair_key(self, at: int) -> KeyInfo | None:
        """Return the key of the second of two items of which the first, at ``at``, is its name."""
        text = self._text
        if text[at : at + 1] != b'"':
            return None
        name, at = self._content(at)
        at = self._skip(at)
        if text[at : at + 1] != b",":
            return None
        at = self._skip(at + 1)
        value = self._content(at)[0] if text[at : at + 1] == b'"' else None
        at = self._skip(self._end(at))
        if text[at : at + 1] != b"]" or not self._parts.names_pair(name, value):
            return None
        return self._parts.key_info(name.decode("utf-8", "replace"))

    def _arguments(self, at: int) -> list[bytes] | None:
        """Return the strings of an array, redacted together, if it holds nothing else."""
        text, items, option = self._text, list[bytes](), False
        while True:
            if text[at : at + 1] != b'"':
                return None
            item, at = self._content(at)
            option = option or (len(item) > 1 and item.startswith(b"-")) or item == b"set"
            items.append(item)
            at = self._skip(at)
            if text[at : at + 1] == b"]":
                break
            at = self._skip(at + 1)
        if not option or len(items) == 1:
            return None
        before = list(items)
        self._parts.arguments(items, self._count)
        return None if items == before else items

    def _argument(self, at: int, key: KeyInfo, item: bytes) -> int:
        """Treat the string at ``at``, of which ``item`` is what was left."""
        before, end = self._content(at)
        changed = self._on_string(key, item) if item else None
        after = item if changed is None else changed
        if after != before:
            self._changes.append((at, end, after))
        return end


def _is_number(token: bytes) -> bool:
    digits = token.lstrip(b"-")
    return not (len(digits) > 1 and digits[:1] == b"0" and digits[1:2].isdigit())
