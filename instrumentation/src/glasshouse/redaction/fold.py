"""The view: a text as the rules see it, with a way back to the text itself.

Escapes, encodings and look-alikes read as what they stand for. Go's engine does the same.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Final

from glasshouse.redaction import budget
from glasshouse.redaction.ascii import ALNUM
from glasshouse.redaction.edits import Edit
from glasshouse.redaction.folding import FOLDED, GONE, STOPS

# How many times one character may have been encoded.
MOST_ENCODINGS: Final = 8
# How far a quoted value goes on behind an escaped line end, in bytes.
LONGEST_BROKEN: Final = 4096
_SLASHES: Final = re.compile(rb"\\{1,3}\Z")
_CLOSING: Final = {c: re.compile(rb"\\*[\r\n%c]" % c) for c in b"\"'"}

_RAW: Final = {
    character.encode(): (read.encode(), character in STOPS) for character, read in FOLDED.items()
}


# Signs of ASCII that begin an atom, and what has to stand behind each.
SIGNS: Final = (
    (r"\\", r"[\\nrtxu0e]"),
    ("%", "[0-9A-Fa-f]{2}"),
    ("&", "(?:#|[A-Za-z]{2,7};)"),
    ("#", "0"),
    ("\x1b", r"\["),
)


def _start() -> re.Pattern[bytes]:
    """Compile what begins an atom: a sign of ASCII, or a whole character that folds.

    Every branch begins with a literal, so that `re` skips to these bytes.
    """
    last: dict[bytes, list[bytes]] = {}
    for character in sorted(_RAW):
        last.setdefault(character[:-1], []).append(re.escape(character[-1:]))
    by_lead: dict[bytes, list[bytes]] = {}
    for head, ends in last.items():
        rest = re.escape(head[1:]) + b"[" + b"".join(ends) + b"]"
        by_lead.setdefault(re.escape(head[:1]), []).append(rest)
    signs = [f"{sign}(?={behind})".encode() for sign, behind in SIGNS]
    leads = [lead + b"(?:" + b"|".join(rests) + b")" for lead, rests in by_lead.items()]
    return re.compile(b"|".join(signs + leads))


_START: Final = _start()
# A sign with what makes it one has no more bytes: an entity of seven letters.
_LONGEST_START: Final = len("&NewLine;")
_ANSI: Final = rb"\[[0-9;:?]{0,32}[A-Za-z]"
# A run of backslashes; a longer one is none.
_ESCAPE: Final = re.compile(
    rb"(?<!\\)(\\{1,8})(?!\\)(?:([nrt])|(?:x1[bB]|u001[bB]|033|e)(" + _ANSI + rb")"
    rb"|x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4}))"
)
_BLANKS: Final = {b"n": "\n", b"r": "\r", b"t": "\t"}
_PERCENT: Final = re.compile(rb"%%(?:25(?=[0-9A-Fa-f]{2})){0,%d}([0-9A-Fa-f]{2})" % MOST_ENCODINGS)
_ESCAPED: Final = re.compile(rb"#(?:(011)|(012)|(015)|033" + _ANSI + rb")")
_COLOUR: Final = re.compile(b"\x1b" + _ANSI)
_ENTITY: Final = re.compile(
    rb"&((?:amp;){0,%d})(?:(?:#([0-9]{1,7})|#[xX]([0-9A-Fa-f]{1,7})|([A-Za-z]{2,7}));)?"
    % MOST_ENCODINGS
)
# Those of HTML for characters that patterns name, or for blanks.
_ENTITIES: Final = {
    **{b"amp": "&", b"lt": "<", b"gt": ">", b"quot": '"', b"apos": "'", b"commat": "@"},
    **{b"nbsp": " ", b"colon": ":", b"period": ".", b"plus": "+", b"equals": "=", b"num": "#"},
    **{b"sol": "/", b"bsol": "\\", b"lowbar": "_", b"hyphen": "-", b"dash": "-", b"lpar": "("},
    **{b"rpar": ")", b"lsqb": "[", b"lbrack": "[", b"rsqb": "]", b"rbrack": "]", b"lcub": "{"},
    **{b"rcub": "}", b"comma": ",", b"semi": ";", b"quest": "?", b"excl": "!", b"dollar": "$"},
    **{b"percnt": "%", b"ast": "*", b"ndash": "-", b"mdash": "-", b"minus": "-", b"ensp": " "},
    **{b"emsp": " ", b"thinsp": " ", b"Tab": "\t", b"NewLine": "\n", b"shy": GONE, b"zwnj": GONE},
    **{b"zwj": GONE, b"lrm": GONE, b"rlm": GONE},
}
_REPLACEMENT: Final = "\ufffd"

# What an atom reads as, and its end.
_Found = tuple[bytes, int]


class View:
    """``text`` is what the rules see. An atom is a stretch of the original that reads otherwise."""

    def __init__(
        self, text: bytes, atoms: Sequence[tuple[int, int, int, int]], places: Sequence[int]
    ) -> None:
        self.text = text
        self._atoms = atoms
        # Where they begin in the view.
        self._places = places

    def back(self, edits: Sequence[Edit]) -> list[Edit]:
        """Turn places of the view into places of the text it was made of.

        An edit that begins or ends within an atom takes the whole atom.
        """
        return [
            Edit(self._place(edit.start)[0], self._place(edit.end - 1)[1], edit.mask)
            for edit in edits
        ]

    def unbroken(self, edits: Sequence[Edit]) -> list[Edit]:
        """Let quoted values go on to their quote that end too soon.

        They end at an escaped line end, or at an encoded quote after a plain one. The quote must
        stand in the same line of the text. Edits within such a value are dropped.
        """
        kept: list[Edit] = []
        last = 0
        for edit in edits:
            if edit.start >= last:
                last = self._closing_quote(edit.start, edit.end) or edit.end
                kept.append(edit._replace(end=last))
        return kept

    def _closing_quote(self, start: int, end: int) -> int:
        """Return where a value ends that ends too soon; 0 if it does not, or has no quote."""
        text = self.text
        quote = text[start - 1 : start]
        if quote not in (b'"', b"'"):
            return 0
        encoded = self._is_atom(start - 1)
        too_soon = not encoded and text[end : end + 1] == quote and self._is_atom(end)
        if not too_soon and not self._is_escaped_line_end(end):
            return 0
        opening = _SLASHES.search(text, max(0, start - 4), start - 1)
        slashes = len(opening.group()) if opening else 0
        for found in _CLOSING[text[start - 1]].finditer(text, end, end + LONGEST_BROKEN):
            at = found.end() - 1
            if text[at] in b"\r\n":
                if not self._is_escaped_line_end(at):
                    return 0
                continue
            if not encoded and self._is_atom(at):
                continue
            run = at - found.start()
            if slashes == 0 and run % 2 == 0:
                return at
            if slashes and run <= slashes:
                return at - run
        return 0

    def _is_escaped_line_end(self, at: int) -> bool:
        return self.text[at : at + 1] in (b"\r", b"\n") and self._is_atom(at)

    def _is_atom(self, at: int) -> bool:
        start, end = self._place(at)
        return end - start > 1

    def _place(self, at: int) -> tuple[int, int]:
        """Return where the byte of the view at ``at`` begins and ends in the text."""
        after = bisect_right(self._places, at)
        if not after:
            return at, at + 1
        place, size, start, end = self._atoms[after - 1]
        past = at - place - size
        return (start, end) if past < 0 else (end + past, end + past + 1)


def fold(text: bytes) -> View | None:
    """Return the view of a text; ``None`` where it is its own."""
    # Spelled out, because every text passes here.
    if text.isalnum():
        return None
    # Numbers, because `in` raises an error first where it is given bytes.
    if text.isascii() and not (
        0x5C in text or 0x25 in text or 0x26 in text or 0x23 in text or 0x1B in text
    ):
        return None
    out = bytearray()
    atoms: list[tuple[int, int, int, int]] = []
    places: list[int] = []
    kept = size = 0
    for at in _starts(text):
        if at < kept:
            continue
        budget.ask()
        found = _ATOMS.get(text[at], _raw)(text, at)
        if found is None:
            continue
        read, end = found
        if (
            read == b"."
            and text[at:end] in _STOPS
            and not _is_within_name(out, text, kept, at, end)
        ):
            continue
        size += at - kept
        out += text[kept:at]
        out += read
        atoms.append((size, len(read), at, end))
        places.append(size)
        size += len(read)
        kept = end
    if not atoms:
        return None
    out += text[kept:]
    return View(bytes(out), atoms, places)


def _starts(text: bytes) -> Iterator[int]:
    """Yield where atoms may begin."""
    if len(text) <= budget.STRETCH:
        yield from (found.start() for found in _START.finditer(text))
        return
    for start, end in budget.stretches(len(text)):
        for found in _START.finditer(text, start, min(len(text), end + _LONGEST_START)):
            if found.start() >= end:
                break
            yield found.start()


_STOPS: Final = frozenset(stop.encode() for stop in STOPS)


def _is_within_name(out: bytearray, text: bytes, kept: int, at: int, end: int) -> bool:
    """Return whether a full stop stands between ASCII letters or digits of the view."""
    before = text[at - 1 : at] if at > kept else out[-1:]
    after = text[end : end + 1]
    if after >= b"\x80":
        after = _RAW.get(_character(text, end), (b"", False))[0]
    return bool(before and after) and before[-1] in ALNUM and after[0] in ALNUM


def _character(text: bytes, at: int) -> bytes:
    lead = text[at]
    return text[at : at + (2 if lead < 0xE0 else 3 if lead < 0xF0 else 4)]


def _raw(text: bytes, at: int) -> _Found | None:
    character = _character(text, at)
    found = _RAW.get(character)
    return None if found is None else (found[0], at + len(character))


def _read(character: str) -> bytes:
    """Return what a decoded character reads as."""
    if character in STOPS:
        return character.encode()
    return FOLDED.get(character, character).encode()


def _escape(text: bytes, at: int) -> _Found | None:
    found = _ESCAPE.match(text, at)
    if found is None:
        return None
    slashes, blank, colour, code, unit = found.groups()
    end = found.end()
    if blank:
        return _BLANKS[blank].encode(), end
    if colour:
        return b" ", end
    if code:
        return _utf8(text, at, re.compile(re.escape(slashes) + rb"x([0-9A-Fa-f]{2})"))
    value = int(unit, 16)
    if 0xD800 <= value < 0xE000:
        low = re.compile(re.escape(slashes) + rb"u([dD][c-fC-F][0-9A-Fa-f]{2})").match(text, end)
        if value >= 0xDC00 or low is None:
            return _REPLACEMENT.encode(), end
        value = 0x10000 + (value - 0xD800 << 10) + int(low[1], 16) - 0xDC00
        end = low.end()
    return _read(chr(value)), end


def _utf8(text: bytes, at: int, pattern: re.Pattern[bytes]) -> _Found | None:
    """Read one character of UTF-8, of which each byte is encoded."""
    encoded = b""
    while len(encoded) < 4:
        found = pattern.match(text, at)
        if found is None:
            return None
        encoded += bytes((int(found[1], 16),))
        at = found.end()
        if len(encoded) > 1 and encoded[-1] & 0xC0 != 0x80:
            return None
        try:
            return _read(encoded.decode()), at
        except UnicodeDecodeError:
            continue
    return None


def _percent(text: bytes, at: int) -> _Found | None:
    found = _utf8(text, at, _PERCENT)
    if found is None and text.startswith(b"%25", at):
        return b"%", at + 3
    return found


def _octal(text: bytes, at: int) -> _Found | None:
    found = _ESCAPED.match(text, at)
    if found is None:
        return None
    return (b" ", b"\t", b"\n", b"\r")[found.lastindex or 0], found.end()


def _ansi(text: bytes, at: int) -> _Found | None:
    found = _COLOUR.match(text, at)
    return None if found is None else (b" ", found.end())


def _entity(text: bytes, at: int) -> _Found | None:
    found = _ENTITY.match(text, at)
    if found is None:
        return None
    again, decimal, hexadecimal, name = found.groups()
    if name in _ENTITIES:
        return _ENTITIES[name].encode(), found.end()
    if decimal or hexadecimal:
        code = int(decimal) if decimal else int(hexadecimal, 16)
        if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000:
            return _read(chr(code)), found.end()
    return (b"&", found.end(1)) if again else None


_ATOMS: Final = {
    ord("\\"): _escape,
    ord("%"): _percent,
    ord("&"): _entity,
    ord("#"): _octal,
    0x1B: _ansi,
}
