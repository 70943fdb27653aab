"""E-mail addresses, found by their ``@``.

The policy's patterns allow 64 letters of any script. RE2 spells that out as 160,000 instructions
and falls back to its slowest engine; the search below means the same. An edited pattern is run as
it is.
"""

import re
import unicodedata
from itertools import chain, filterfalse
from typing import Final, NamedTuple

from glasshouse.redaction import budget
from glasshouse.redaction.ascii import DIGITS, LOWER, UPPER, are_digits, only_digits

EMAIL: Final = (
    r"<([\p{L}\p{N}\p{M}_+-][\p{L}\p{N}\p{M}._+-]{0,63}@[\p{L}\p{N}\p{M}-]+)>|"
    r"((?:[\p{L}\p{N}\p{M}_+-][\p{L}\p{N}\p{M}._+-]{0,63}|[\p{L}\p{N}\p{M}._+!$*^{}~-]{0,63}[!$*^{}~]"
    r'|\\?"[^"\r\n@<>]{1,64}")'
    r"@(?:[\p{L}\p{N}\p{M}-]+(?:\.[\p{L}\p{N}\p{M}-]+)+|\[(?:IPv6:)?[0-9A-Fa-f:.]{3,45}\]))"
)
NEAR_EMAIL: Final = (
    r"[\p{L}\p{N}\p{M}_+-][\p{L}\p{N}\p{M}._+-]{0,63}@[\p{L}\p{N}\p{M}-]+(?:\.[\p{L}\p{N}\p{M}-]+)*"
)
_LONGEST_LOCAL: Final = 64
# Characters that are read at once.
_LONGEST_HOST: Final = 4096
# Read only in a local part that ends with one of them.
_ODD: Final = "!$*^{}~"


class Span(NamedTuple):
    """A match, as far as the engine asks one."""

    begin: int
    finish: int
    group: tuple[int, int] | None

    def start(self, group: int = 0) -> int:
        return self.group[0] if group and self.group else self.begin

    def end(self, group: int = 0) -> int:
        return self.group[1] if group and self.group else self.finish

    def hit(self) -> tuple[int, int]:
        return self.group or (self.begin, self.finish)


class EmailPattern:
    """Behaves as the compiled pattern would."""

    def __init__(self, *, near: bool) -> None:
        self.is_near = near

    def search(self, text: bytes, pos: int = 0) -> Span | None:
        return self.reader(text).search(pos)

    def reader(self, text: bytes) -> "EmailReader":
        return EmailReader(text, near=self.is_near)


def email_pattern(pattern: str) -> EmailPattern | None:
    """Return the search for a pattern that it means."""
    known = {EMAIL: False, NEAR_EMAIL: True}
    return EmailPattern(near=known[pattern]) if pattern in known else None


class EmailReader:
    """Searches one text from left to right. It is decoded once."""

    def __init__(self, text: bytes, *, near: bool) -> None:
        self._raw = text
        self._text = text.decode("utf-8", "replace")
        self._wide = not text.isascii()
        self._near = near
        # The same place in characters and in bytes; every search begins at or after it.
        self._at = self._byte = 0

    def search(self, pos: int) -> Span | None:
        text = self._text
        low = self._character(pos) if self._wide else pos
        grammar = _grammar(wide=self._wide)
        after = low
        while (at := text.find("@", after)) >= 0:
            budget.ask()
            found = grammar.host.match(text, at, at + _LONGEST_HOST)
            if found is None:
                after = at + 1
                continue
            end = after = _end_of(found, grammar, text)
            if at <= low:
                continue
            last = text[at - 1]
            odd = last == '"' or last in _ODD
            start = self._local(grammar, low, at, odd=odd)
            if start < 0:
                continue
            if self._near:
                if odd or found[1]:
                    continue
            elif not found[1] and text.find(".", at, end) < 0:
                if odd or start == low or text[start - 1] != "<" or text[end : end + 1] != ">":
                    continue
                return self._span(start - 1, end + 1, inner=True)
            return self._span(start, end, inner=not self._near)
        return None

    def _local(self, grammar: "_Grammar", low: int, at: int, *, odd: bool) -> int:
        """Return where the local part before ``at`` begins, or -1."""
        text = self._text
        if text[at - 1] == '"':
            quoted = _QUOTED.search(text, max(low, at - _LONGEST_LOCAL - 3), at)
            return quoted.start() if quoted else -1
        backwards = text[max(low, at - _LONGEST_LOCAL) : at][::-1]
        run = (grammar.odd if odd else grammar.local).match(backwards)
        if run is None:
            return -1
        local = run[0] if odd else run[0].rstrip(".")
        return at - len(local) if local else -1

    def _span(self, start: int, end: int, *, inner: bool) -> Span:
        """Return the match; the hit is its only group, if it is ``inner``."""
        if self._wide:
            begin = self._place(start)
            finish = begin + len(self._text[start:end].encode())
        else:
            begin, finish = start, end
        if not inner:
            return Span(begin, finish, None)
        bracket = self._raw[begin] == 0x3C
        return Span(begin, finish, (begin + bracket, finish - bracket))

    def _place(self, character: int) -> int:
        self._byte += len(self._text[self._at : character].encode())
        self._at = character
        return self._byte

    def _character(self, pos: int) -> int:
        self._at += len(self._raw[self._byte : pos].decode("utf-8", "replace"))
        self._byte = pos
        return self._at


_QUOTED: Final = re.compile(r'\\?"[^"\r\n@<>]{1,64}"\Z')
_LITERAL: Final = r"(\[(?:IPv6:)?[0-9A-Fa-f:.]{3,45}\])"


class _Grammar(NamedTuple):
    """``local`` and ``odd`` match a text that is written backwards."""

    host: re.Pattern[str]
    more: re.Pattern[str]
    """What goes on with a host that is longer than most."""
    local: re.Pattern[str]
    odd: re.Pattern[str]


def _end_of(found: re.Match[str], grammar: _Grammar, text: str) -> int:
    """Return where a host ends of which not all was read at once."""
    end, limit = found.end(), found.start() + _LONGEST_HOST
    # A dot counts if a label follows.
    while not found[1] and limit - 1 <= end < len(text):
        budget.share()
        limit = end + _LONGEST_HOST
        more = grammar.more.match(text, end, limit)
        end = more.end() if more else end
    return end


def prepare() -> None:
    """Compile what is otherwise compiled at its first use."""
    for wide in (False, True):
        _grammar(wide=wide)


_grammars: Final[dict[bool, _Grammar]] = {}


def _grammar(*, wide: bool) -> _Grammar:
    found = _grammars.get(wide)
    if found is None:
        with budget.free():
            found = _grammars[wide] = _made_grammar(wide=wide)
    return found


def _made_grammar(*, wide: bool) -> _Grammar:
    if wide:
        # `re` has no \p{M}; letters and numbers are its \w without the underscore.
        marks = "".join(_marks())
        label, word = rf"(?:[^\W_]|[-{marks}])", rf"[\w.+{marks}-]"
        odd = rf"[\w.+!$*^{{}}~{marks}-]"
    else:
        label, word, odd = "[0-9A-Za-z-]", r"[\w.+-]", r"[\w.+!$*^{}~-]"
    return _Grammar(
        re.compile(rf"@(?:{label}+(?:\.{label}+)*|{_LITERAL})"),
        re.compile(rf"(?:\.?{label}+)*"),
        re.compile(word + "+"),
        re.compile(odd + "+"),
    )


# Nothing but ideographs, Hangul, private and unassigned characters lies between and behind.
_MAY_BE_MARKS: Final = (
    range(0x300, 0x3400),
    range(0xA000, 0xAC00),
    range(0xF900, 0x20000),
    range(0xE0000, 0xE1000),
)


def _marks() -> list[str]:
    # All is done in C as far as it can be: this runs at each start, for a hundred thousand.
    printable = filter(str.isprintable, map(chr, chain(*_MAY_BE_MARKS)))
    candidates = filterfalse(str.isalnum, printable)
    ranges: list[str] = []
    first = last = -2
    for code in (ord(one) for one in candidates if unicodedata.category(one)[0] == "M"):
        if code != last + 1:
            if first >= 0:
                ranges.append(f"{chr(first)}-{chr(last)}")
            first = code
        last = code
    ranges.append(f"{chr(first)}-{chr(last)}")
    return ranges


# Last labels of what is written with an @ and is no address: units of systemd. None is a public
# suffix that addresses have.
_NO_DOMAINS: Final = frozenset(
    b"automount device mount path scope service slice socket swap target timer".split()
)
# Those of hosts that only their own network knows. An address there counts beside its word or under
# its key.
_PRIVATE_DOMAINS: Final = frozenset(
    b"cluster consul home internal intranet lan local localdomain localhost node pod svc".split()
)
# They may follow an address in the name of a file, and are no public suffixes.
_FILE_TYPES: Final = frozenset(
    b"bak bin bz2 cfg cjs conf crt css csv db deb dll eml exe gif gz html htm ini jar jpeg jpg js "
    b"json jsonl jsx key lock log map min mjs msg parquet pdf pem pid png rpm sock sql sqlite svg "
    b"tar tgz tmp toml ts tsx txt war wasm webp whl xls xlsx xml xz yaml yml".split()
)
# In a local part at a host of one label.
_MOST_DIGITS: Final = 4
_HEX: Final = frozenset(b"0123456789abcdefABCDEF")


def email(text: bytes, start: int, end: int) -> int | None:
    """Return the end of an address: without the type of a file, or a dash and what follows it."""
    return _address(text, start, end, private=False)


def near_email(text: bytes, start: int, end: int) -> int | None:
    """Take hosts of private networks, too."""
    return _address(text, start, end, private=True)


def _address(text: bytes, start: int, end: int, *, private: bool) -> int | None:
    at = text.rfind(b"@", start, end)
    if at <= start or at + 1 == end:
        return None  # an edited pattern may take anything
    local = text[start:at]
    if local == b"git":
        return None
    if text[at + 1] == 0x5B:
        return end if b"." in text[at:end] or b":" in text[at:end] else None
    labels = text[at + 1 : end].split(b".")
    budget.share_after(end - at)
    if not all(labels):
        return None
    budget.share_after(end - at)
    while True:
        last = labels[-1]
        kept = last.split(b"-")[0]
        if len(labels) > 1 and kept and kept != last and not last.lower().startswith(b"xn--"):
            labels[-1] = last = kept
        if len(labels) > 1 and last.lower() in _FILE_TYPES:
            labels.pop()
            if len(labels) == 1:
                return None
            continue
        break
    if len(labels) == 1:
        # A message id consists of times and counts.
        message_id = len(only_digits(local)) > _MOST_DIGITS
        good = _is_host(last, private=private) and (private or not message_id)
    else:
        good = _is_domain(local, labels, private=private)
    return at + 1 + len(b".".join(labels)) if good else None


def _is_domain(local: bytes, labels: list[bytes], *, private: bool) -> bool:
    last = labels[-1].lower()
    named = last.decode()
    if (named[0].isascii() and not named[0].isalpha()) or len(named) < 2:
        return False
    if not last.startswith(b"xn--") and any(c in b"0123456789-" for c in last):
        return False
    if last in _NO_DOMAINS or (not private and last in _PRIVATE_DOMAINS):
        return False
    host = b".".join(labels)
    budget.share_after(len(host))
    if host[:1] == b"-" or host[-1:] == b"-" or b".-" in host or b"-." in host:
        return False
    # What Java prints for an object: a class, @ and the hash.
    kind = local.rsplit(b".", 1)[-1]
    if kind and kind[0] in UPPER and _is_hash(labels[0]):
        return False
    # Two numbers are a version.
    return not (are_digits(labels[0]) and are_digits(labels[1]))


def _is_host(label: bytes, *, private: bool) -> bool:
    """Return whether a single label can be a host: no number and no hash.

    Without brackets around the address, only the names that every machine has count.
    """
    named = label.lower()
    if private or named in _NO_DOMAINS:
        return private and named in _PRIVATE_DOMAINS
    if label[0] >= 0x80:
        return True
    letter = label[0] in LOWER or label[0] in UPPER
    return letter and not label.endswith(b"-") and len(label) > 1 and not _is_hash(label)


def _is_hash(label: bytes) -> bool:
    """Return whether a label is six to eight hex digits, not all of them letters."""
    found = frozenset(label)
    return 6 <= len(label) <= 8 and found <= _HEX and bool(found & DIGITS)
