"""Mutated requests: real ones, with their bytes changed at random."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from support.oddities import wire

_MOST_CHANGES = 4
_LONGEST_PIECE = 200
_NUMBERS = (0, 1, 2, 127, 128, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1)
_FIXED_BYTES = {wire.FIXED64: 8, wire.FIXED32: 4}


@dataclass(kw_only=True)
class _Part:
    """One field of a message on the wire. content: what follows its tag, without a length."""

    number: int
    wire_type: int
    content: bytes

    def raw(self) -> bytes:
        if self.wire_type == wire.BYTES:
            return wire.block(self.number, self.content)
        return wire.tag(self.number, self.wire_type) + self.content


class Mutator:
    """Changes requests; the same seed gives the same ones. Knows others to splice them with.

    Two of three keep the form of protobuf, so that what is odd gets past the decoder.
    """

    def __init__(self, seed: int, requests: Sequence[bytes]) -> None:
        self._chance = random.Random(seed)  # noqa: S311 (must be repeatable)
        self._requests = requests
        self._of_bytes: tuple[Callable[[bytearray], None], ...] = (
            *(self._flip, self._overwrite, self._drop, self._double),
            *(self._insert, self._swap, self._cut, self._lengthen, self._splice),
        )
        self._of_fields: tuple[Callable[[list[_Part], int], None], ...] = (
            *(self._drop_field, self._double_field, self._move_field, self._renumber_field),
            *(self._change_field, self._change_field, self._splice_field),
        )

    def next(self) -> bytes:
        """Return one changed request."""
        raw = self._chance.choice(self._requests)
        for _ in range(self._chance.randint(1, _MOST_CHANGES)):
            changed = self._in_form(raw) if self._chance.random() < 2 / 3 else None
            raw = changed if changed is not None else self._out_of_form(raw)
        return raw

    def _out_of_form(self, raw: bytes) -> bytes:
        changed = bytearray(raw or b"\x00")
        self._chance.choice(self._of_bytes)(changed)
        return bytes(changed)

    def _in_form(self, raw: bytes) -> bytes | None:
        """Change one field somewhere in a message; None where it is none."""
        parts = _parts(raw)
        if not parts:
            return None
        at = self._chance.randrange(len(parts))
        if parts[at].wire_type == wire.BYTES and self._chance.random() < 0.9:
            inner = self._in_form(parts[at].content)
            if inner is not None:
                parts[at].content = inner
                return b"".join(part.raw() for part in parts)
        self._chance.choice(self._of_fields)(parts, at)
        return b"".join(part.raw() for part in parts)

    def _drop_field(self, parts: list[_Part], at: int) -> None:
        del parts[at]

    def _double_field(self, parts: list[_Part], at: int) -> None:
        parts[at:at] = [parts[at]] * self._chance.choice((1, 1, 1, 50))

    def _move_field(self, parts: list[_Part], at: int) -> None:
        parts.insert(self._chance.randrange(len(parts)), parts.pop(at))

    def _renumber_field(self, parts: list[_Part], at: int) -> None:
        parts[at].number = self._chance.randint(1, 20)

    def _change_field(self, parts: list[_Part], at: int) -> None:
        part = parts[at]
        if part.wire_type == wire.VARINT:
            part.content = wire.varint(self._chance.choice(_NUMBERS))
        elif part.wire_type in _FIXED_BYTES:
            length = _FIXED_BYTES[part.wire_type]
            number = self._chance.choice((*_NUMBERS, self._chance.getrandbits(64)))
            part.content = (number % 256**length).to_bytes(length, "little")
        else:
            part.content = self._out_of_form(part.content)

    def _splice_field(self, parts: list[_Part], at: int) -> None:
        """Put a field of another request's where one is."""
        there = _parts(self._chance.choice(self._requests))
        while there:
            found = self._chance.choice(there)
            parts[at] = _Part(
                number=parts[at].number, wire_type=found.wire_type, content=found.content
            )
            deeper = found.wire_type == wire.BYTES and self._chance.random() < 0.8
            there = _parts(found.content) if deeper else None

    def _at(self, raw: bytearray) -> int:
        return self._chance.randrange(len(raw))

    def _piece(self, raw: bytes | bytearray) -> slice:
        start = self._chance.randrange(len(raw))
        return slice(start, start + self._chance.randint(1, _LONGEST_PIECE))

    def _flip(self, raw: bytearray) -> None:
        raw[self._at(raw)] ^= 1 << self._chance.randrange(8)

    def _overwrite(self, raw: bytearray) -> None:
        raw[self._at(raw)] = self._chance.choice((0, 1, 0x7F, 0x80, 0xFF))

    def _drop(self, raw: bytearray) -> None:
        del raw[self._piece(raw)]

    def _double(self, raw: bytearray) -> None:
        piece = raw[self._piece(raw)]
        at = self._at(raw)
        raw[at:at] = piece * self._chance.choice((1, 1, 2, 50))

    def _insert(self, raw: bytearray) -> None:
        at = self._at(raw)
        raw[at:at] = self._chance.randbytes(self._chance.randint(1, 20))

    def _swap(self, raw: bytearray) -> None:
        one, other = self._at(raw), self._at(raw)
        raw[one], raw[other] = raw[other], raw[one]

    def _cut(self, raw: bytearray) -> None:
        del raw[self._at(raw) :]

    def _lengthen(self, raw: bytearray) -> None:
        """Make one byte a number of many: a length, or a value, that is not so."""
        at = self._at(raw)
        raw[at : at + 1] = b"\xff" * self._chance.randint(1, 9) + b"\x01"

    def _splice(self, raw: bytearray) -> None:
        other = self._chance.choice(self._requests)
        raw[self._piece(raw)] = other[self._piece(other)]


def _parts(raw: bytes) -> list[_Part] | None:
    """Return the fields of a message; None where the bytes are none that is whole."""
    parts: list[_Part] = []
    at = 0
    while at < len(raw):
        key, at = _varint(raw, at)
        number, kind = key >> 3, key & 7
        end = at
        if kind == wire.VARINT:
            _, end = _varint(raw, at)
        elif kind == wire.BYTES:
            length, at = _varint(raw, at)
            end = at + length
        elif kind in _FIXED_BYTES:
            end = at + _FIXED_BYTES[kind]
        if number == 0 or not at <= end <= len(raw) or (end == at and kind != wire.BYTES):
            return None
        parts.append(_Part(number=number, wire_type=kind, content=raw[at:end]))
        at = end
    return parts


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    """Return a number and where it ends; beyond the end of the bytes where it does not end."""
    number = shift = 0
    while at < len(raw):
        byte = raw[at]
        number |= (byte & 0x7F) << shift
        shift += 7
        at += 1
        if byte < 0x80:
            return number, at
    return 0, len(raw) + 1
