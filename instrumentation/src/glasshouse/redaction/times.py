"""Places of a text that are times, dates or UUIDs: no number of a person begins in one."""

import re
from typing import Final

from glasshouse.redaction.ascii import ALNUM, DIGITS
from glasshouse.redaction.patterns import compile_pattern

# Between digits of any base.
_MARK: Final = re.compile(rb"[:/T.-](?<=[0-9A-Fa-f].)(?=[0-9A-Fa-f])", re.DOTALL)
_SURE: Final = frozenset((b":", b"/", b"T"))
# So many bytes before and behind a hit are searched.
REACH: Final = 48

_DATE: Final = r"[12][0-9]{3}[-/.][01][0-9][-/.][0-3][0-9]"
_CLOCK: Final = r"[0-2]?[0-9]:[0-5][0-9]:[0-6][0-9](?:[.,:][0-9]{1,9})?"
_ZONE: Final = r"(?: ?(?:Z|UTC|GMT|[+-][0-2][0-9]:?[0-5][0-9]))?"
_MONTH: Final = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"

# The first that fits at a place counts, so longer forms stand first.
PATTERN: Final = "|".join(
    (
        # RFC 3339 and what databases write; without seconds; that of BlueGene, with dots.
        rf"{_DATE}[T _]{_CLOCK}{_ZONE}",
        rf"{_DATE}[T _][0-2][0-9]:[0-5][0-9]{_ZONE}",
        rf"{_DATE}-[0-2][0-9]\.[0-5][0-9]\.[0-6][0-9]\.[0-9]{{1,9}}",
        # ISO 8601 without separators.
        rf"[12][0-9]{{3}}[01][0-9][0-3][0-9]T[0-2][0-9][0-5][0-9][0-6][0-9](?:[.,][0-9]{{1,9}})?{_ZONE}",
        # Apache and nginx; syslog; the C library's.
        rf"[0-3][0-9]/{_MONTH}/[12][0-9]{{3}}:{_CLOCK}{_ZONE}",
        rf"{_MONTH} [ 0-3]?[0-9],? (?:[12][0-9]{{3}},? )?{_CLOCK}{_ZONE}(?: [12][0-9]{{3}})?",
        # klog, with the thread; Chromium; Android's, without a year; others with a short date.
        r"[IWEF][01][0-9][0-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-6][0-9]\.[0-9]{6}(?: +[0-9]{1,7})?",
        r"[01][0-9][0-3][0-9]/[0-2][0-9][0-5][0-9][0-6][0-9](?:\.[0-9]{1,6})?:",
        rf"[0-3][0-9][-/.][0-3][0-9](?:[-/.](?:[12][0-9])?[0-9]{{2}})? {_CLOCK}{_ZONE}",
        rf"{_CLOCK}{_ZONE}",
        # Dates alone.
        _DATE,
        r"[0-3]?[0-9][-/.][0-3]?[0-9][-/.](?:19|20)[0-9]{2}",
        # RFC 9562.
        r"[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}",
    )
)
_TIMES: Final = compile_pattern(PATTERN)


def cut(text: bytes, start: int, end: int) -> int:
    """Return where a hit ends at the latest: before the first time in it, or at ``start``."""
    low = max(0, start - REACH)
    window = text[low : end + REACH]
    if not _may_hold(window):
        return end
    at = 0
    while at < end - low:
        found = _TIMES.search(window, at)
        if found is None or found.start() >= end - low:
            break
        first, last = found.start(), found.end()
        if not _stands_alone(window, first, last):
            at = first + 1
            continue
        if last > start - low:
            return max(start, _trimmed(window, first) + low)
        at = last
    return end


def _stands_alone(text: bytes, first: int, last: int) -> bool:
    """Return whether no digit is cut off at either end."""
    if first > 0 and text[first - 1] in DIGITS and text[first] in ALNUM:
        return False
    return last == len(text) or text[last] not in DIGITS


def _trimmed(text: bytes, end: int) -> int:
    while end > 0 and text[end - 1] not in ALNUM:
        end -= 1
    return end


def _may_hold(text: bytes) -> bool:
    """Return cheaply whether any form is possible, by what stands between digits of any base."""
    marks = _MARK.finditer(text)
    return any(before or found[0] in _SURE for before, found in enumerate(marks))
