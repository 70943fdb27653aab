"""Validators of IP addresses: public ones are masked to their network."""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from glasshouse.redaction.ascii import DIGITS

_HEX: Final = frozenset(b"0123456789abcdefABCDEF")
_GROUP_BEFORE: Final = re.compile(rb"(?:\A|[^0-9A-Za-z_])[0-9A-Fa-f]{1,4}::?\Z")
_PREFIX_LENGTH: Final = re.compile(rb"[+-]?[0-9]+")


class Network(NamedTuple):
    """Where an address ends, and its network as a mask writes it."""

    end: int
    form: bytes


def ipv4(text: bytes, start: int, end: int, *, keep_private: bool) -> Network | None:
    rest, has, valid = _split_prefix(text[start:end], 32)
    if has and not valid:
        end = start + len(rest)
    # Providers write an address with dashes in the name of a host.
    address = parse_ipv4(rest.replace(b"-", b"."))
    if address is None or (not has and address[2] == 0 and address[3] == 0):
        return None
    if keep_private and _is_private(address):
        return None
    return Network(end, _ipv4_form(address))


def ipv6(text: bytes, start: int, end: int, *, keep_private: bool) -> Network | None:
    # A group and colons before it: this is the rest of something longer.
    if text[start - 1 : start] == b":" and _GROUP_BEFORE.search(text, max(0, start - 7), start):
        return None
    rest, has, valid = _split_prefix(text[start:end], 128)
    if has and not valid:
        end = start + len(rest)
    address = rest
    zone = address.find(b"%")
    if zone >= 0:
        address = address[:zone]
    elif not has and address.endswith(b":") and not address.endswith(b"::"):
        address = address[:-1]
        end -= 1
    parsed = _parse_ipv6(address)
    if parsed is None:
        return None
    groups, four = parsed
    mapped = (groups[4] == 0 and groups[5] in (0, 0xFFFF)) or (
        groups[4] == 0xFFFF and groups[5] == 0
    )
    if four is not None and not any(groups[:4]) and mapped:
        if keep_private and _is_private(four):
            return None
        return Network(end, _ipv4_form(four))
    first = groups[0]
    local = (
        first == 0
        or first & 0xFE00 == 0xFC00
        or first & 0xFFC0 == 0xFE80
        or first & 0xFF00 == 0xFF00
    )
    if keep_private and local:
        return None
    # What a registry gives to a provider. A third group is one customer as often as not.
    return Network(end, b"%x:%x" % (groups[0], groups[1]))


def _split_prefix(text: bytes, limit: int) -> tuple[bytes, bool, bool]:
    """Cut a /n off: what is before it, whether there is one, whether n is at most ``limit``."""
    rest, slash, length = text.partition(b"/")
    if not slash:
        return text, False, False
    return rest, True, _PREFIX_LENGTH.fullmatch(length) is not None and int(length) <= limit


def parse_ipv4(text: bytes) -> list[int] | None:
    """Read four decimal numbers without leading zeros."""
    parts = text.split(b".")
    if len(parts) != 4:
        return None
    numbers: list[int] = []
    for part in parts:
        if not 1 <= len(part) <= 3 or any(c not in DIGITS for c in part):
            return None
        if len(part) > 1 and part[:1] == b"0":
            return None
        numbers.append(int(part))
    return numbers if max(numbers) <= 255 else None


def _is_private(a: Sequence[int]) -> bool:
    return (
        a[0] in (0, 10, 127)
        or a[0] >= 224
        or (a[0] == 100 and 64 <= a[1] <= 127)
        or (a[0] == 169 and a[1] == 254)
        or (a[0] == 172 and 16 <= a[1] <= 31)
        or (a[0] == 192 and a[1] == 168)
    )


def _ipv4_form(a: Sequence[int]) -> bytes:
    return b"%d.%d.%d." % (a[0], a[1], a[2])


def _parse_ipv6(text: bytes) -> tuple[list[int], list[int] | None] | None:
    """Read an address, perhaps with an IPv4 at its end, that is plausibly one: it has a digit,
    and three groups or one of four hex digits."""
    if not any(c in DIGITS for c in text):
        return None
    groups: list[int] = []
    four: list[int] | None = None
    gap, written, long, i = -1, 0, False, 0
    if text.startswith(b"::"):
        gap, i = 0, 2
    while i < len(text):
        if len(groups) == 8:
            return None
        begin = i
        while i < len(text) and text[i] in _HEX:
            i += 1
        if i - begin > 4:
            return None
        if i < len(text) and text[i] == 0x2E:
            four = parse_ipv4(text[begin:])
            if four is None or len(groups) > 6:
                return None
            groups += [four[0] << 8 | four[1], four[2] << 8 | four[3]]
            written += 2
            break
        if i == begin:
            return None
        long = long or i - begin == 4
        groups.append(int(text[begin:i], 16))
        written += 1
        if i == len(text):
            break
        if text[i] != 0x3A:
            return None
        i += 1
        if i == len(text):
            return None
        if text[i] == 0x3A:
            if gap >= 0:
                return None
            gap = len(groups)
            i += 1
    if (gap < 0 and len(groups) != 8) or (gap >= 0 and len(groups) > 7):
        return None
    if gap >= 0:
        groups[gap:gap] = [0] * (8 - len(groups))
    return (groups, four) if written >= 3 or long else None
