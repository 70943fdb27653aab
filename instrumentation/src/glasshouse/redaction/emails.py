"""E-mail addresses, found by their ``@``.

The policy's pattern allows 64 letters of any script on both sides. RE2 spells that out as 160,000
instructions and falls back to its slowest engine; the search below means the same.
"""

import re
import sys
import unicodedata
from functools import cache
from typing import Final, NamedTuple

MEANT: Final = (
    r"[\p{L}\p{N}\p{M}._+-]{1,64}(?:@|%40)"
    r"[\p{L}\p{N}\p{M}-]{1,63}(?:\.[\p{L}\p{N}\p{M}-]{1,63}){1,8}"
)
_TAIL: Final = r"(?:@|%40){domain}{{1,63}}(?:\.{domain}{{1,63}}){{1,8}}"
_ASCII: Final = re.compile(
    rb"[0-9A-Za-z._+-]{1,64}(?:@|%40)[0-9A-Za-z-]{1,63}(?:\.[0-9A-Za-z-]{1,63}){1,8}"
)


class Span(NamedTuple):
    """A match, as far as the engine asks one."""

    begin: int
    finish: int

    def start(self) -> int:
        return self.begin

    def end(self) -> int:
        return self.finish

    def groups(self) -> tuple[()]:
        return ()


class EmailPattern:
    """Behaves as the compiled pattern `MEANT` would."""

    def search(self, text: bytes, pos: int = 0) -> Span | None:
        if text.isascii():
            found = _ASCII.search(text, pos)
            return Span(found.start(), found.end()) if found else None
        tail = text[pos:].decode("utf-8", "replace")
        wide = _any_script().search(tail)
        if wide is None:
            return None
        begin = pos + len(tail[: wide.start()].encode())
        return Span(begin, begin + len(wide.group().encode()))


@cache
def _any_script() -> re.Pattern[str]:
    # `re` has no \p{M}; letters and numbers are its \w without the underscore.
    marks = "".join(_ranges("M"))
    local = rf"(?:[\w.+-]|[{marks}])"
    domain = rf"(?:[^\W_]|[-{marks}])"
    return re.compile(local + "{1,64}" + _TAIL.format(domain=domain))


def _ranges(category: str) -> list[str]:
    ranges: list[str] = []
    first = last = -2
    for code in range(sys.maxunicode + 1):
        if unicodedata.category(chr(code))[0] != category:
            continue
        if code != last + 1:
            if first >= 0:
                ranges.append(f"{chr(first)}-{chr(last)}")
            first = code
        last = code
    ranges.append(f"{chr(first)}-{chr(last)}")
    return ranges
