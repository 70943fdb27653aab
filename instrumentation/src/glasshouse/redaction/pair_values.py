"""The values of pairs: what follows the separator, and where it ends."""

import re
from typing import Final, NamedTuple

from glasshouse.redaction import budget
from glasshouse.redaction.ascii import ALNUM, DIGITS
from glasshouse.redaction.long_match import LongMatch
from glasshouse.redaction.masks import Masks
from glasshouse.redaction.names import normalise
from glasshouse.redaction.pair_names import MOST_BLANKS, Name
from glasshouse.redaction.pair_words import READING, SOURCES, TYPES
from glasshouse.redaction.placeholders import is_placeholder

# How far what stands before a value, and what decides about its end, may reach.
LOOK: Final = 128
# How far a bracket or a quote that does not close in its line may reach.
LONGEST_OVER_LINES: Final = 512
MOST_LINES: Final = 8
MOST_NESTED: Final = 16
LOOK_BACK: Final = 256
BACKSLASH: Final = 0x5C

_BLANKS: Final = frozenset(b" \t")
_QUOTES: Final = frozenset(b"\"'`")
_CLOSING: Final = {0x5B: 0x5D, 0x7B: 0x7D, 0x28: 0x29}
_OPENING: Final = {0x5D: b"[", 0x7D: b"{", 0x3E: b"<"}

_BARE: Final = re.compile(rb"[^ \t\r\n\f\v\"'&,;<>\[\]{}\\]+")
_LINE: Final = re.compile(rb"[^\r\n\"']*")
_REST: Final = re.compile(rb"[^\r\n]*")
# What may stand before a value and is no part of it.
_DRESS: Final = re.compile(
    rb"\*{1,2}[ \t]{1,3}"
    rb"|</?(?:b|i|strong|em|label|span|td|th|dt|dd|code)>[ \t]{0,3}"
    rb"|(?:new|Just)[ \t]{1,3}"
    rb"|ConvertTo-SecureString(?: -String)?[ \t]{1,3}"
    rb"|!!?(?:secret|vault|encrypted|env|ENV|Ref|Sub|GetAtt|ImportValue|str|string|binary|reference|var"
    rb"|base64|Base64|include|ssm|sops)(?:/[A-Za-z]{1,20})?[ \t]{1,3}"
    rb"|&[A-Za-z_]{1,20}[ \t]{1,3}"
)
# … if a quote or bracket follows.
_CAST: Final = re.compile(
    rb"\([A-Za-z*\[\].]{1,24}\)[ ]?(?:\(len=[0-9]{1,9}[^()]*\)[ ]?)?"
    rb"|(?:string|str)\([0-9]{1,6}\)[ ]"
    rb"|<<|&"
)
_TYPED: Final = re.compile(
    rb"[&*]?(?:'static )?([A-Za-z_]{1,20})(?:\[[A-Za-z, |]{0,40}\]|<[A-Za-z, ]{0,40}>)?\??"
    rb"(?: ?\| ?[A-Za-z]{1,12})?[ \t]{0,8}:?=[ \t]{0,8}"
)
_CALL: Final = re.compile(rb"([A-Za-z_][A-Za-z0-9_.:]{0,63})!?\([ \t]{0,3}")
_BRACED: Final = re.compile(
    rb"&?(?:(?:\[[0-9]{0,4}\]\*?|map\[[A-Za-z0-9.]{1,20}\](?:\[\])?)[A-Za-z_][A-Za-z0-9_.]{0,30}(?:\{\})?[{(]"
    rb"|[A-Z][A-Za-z0-9_.:]{0,63} ?\{)"
)
# What a struct written out begins with: its fields, a literal, or the hash of an object.
_FIELDS: Final = re.compile(rb"[ \t]{0,3}(?:[\"'\[]|[A-Za-z_][A-Za-z0-9_]{0,40} ?[:=])")
_PREFIX: Final = re.compile(rb"(?:[bBrRfFuU]{1,2}|u8|[lLN@$])?[\"'`]")
# A value that is read from somewhere, perhaps with a default.
_READ: Final = re.compile(rb"([A-Za-z_][A-Za-z0-9_.:]{0,63})[\[(][\"'][^\"'\r\n]*[\"']")
_DEFAULT: Final = re.compile(
    rb"(?:, ?|[\])]{1,2} ?(?:\|\||\?\?|or|\?:) ?"
    rb"|[\])]{1,2}\.(?:unwrap_or|orElse|or)\(| ?,[ ]{0,2}default ?= ?)[\"']"
)
_SOURCED: Final = re.compile(
    rb"([A-Za-z_][A-Za-z0-9_]{0,30})(?:\.[A-Za-z_][A-Za-z0-9_]*)+ ?(?:\|\||\?\?|or|\?:) ?[\"']"
)
_HASHED: Final = re.compile(rb"[0-9a-f]{5,8}[ }]")
_BLOCK: Final = re.compile(rb"[|>][+0-9-]{0,2}[ \t]*\r?\n")
_TAG_NAMES: Final = frozenset(
    b"br b i p a td tr li ul ol div span em hr pre code strong th dt dd".split()
)
_ELEMENT: Final = re.compile(rb"<([A-Za-z]{1,10})>[A-Za-z0-9]")
_PAIR: Final = re.compile(rb"[A-Za-z_][A-Za-z0-9_.\-\[\]%]{0,62}[\"']?[=:]")
_SPACED_PAIR: Final = re.compile(rb"[A-Za-z_][A-Za-z0-9_.\-\[\]% ]{0,62}=")
_FORM_PAIR: Final = re.compile(rb"[A-Za-z_][A-Za-z0-9_.\-\[\]%]{0,62}[=;]")
_SPECIAL: Final = re.compile(rb"[\[\]{}()\"'\n]")
# The rest of a literal that closes in its line.
_LITERALS: Final = {
    0x22: LongMatch(r'[^"\\\r\n]*(?:\\[^\r\n][^"\\\r\n]*)*"'),
    0x27: LongMatch(r"[^'\\\r\n]*(?:\\[^\r\n][^'\\\r\n]*)*'"),
}
# A quote, or the end of a line.
_STOPS: Final = {c: re.compile(rb"[%c\r\n]" % c) for c in b"\"'`"}
_INDENT: Final = re.compile(rb"[ \t]*")


class Value(NamedTuple):
    """``text[start:end]``, which is nothing where they are equal."""

    start: int
    end: int
    quoted: bool = False
    spaced: bool = False
    # In brackets: several values, or one with its own names.
    many: bool = False


class Values:
    """Reads the values after the separators of one text, from left to right."""

    def __init__(self, masks: Masks) -> None:
        self._masks = masks
        # Up to here a bracket was found not to close: none is tried again, so that time is linear.
        self._unclosed = 0

    def after(self, text: bytes, at: int, name: Name, operator: bytes) -> Value:
        """Find the value that follows a separator."""
        i = skip_blanks(text, at)
        spaced = i > at
        if operator == b":" and text[i : i + 1] in (b"", b"\r", b"\n", b"|", b">", b"#"):
            block = self._block(text, i, name)
            if block is not None:
                return block
        if operator == b"=>" and text[i : i + 1] in (b"\r", b"\n"):
            lines = i
            while lines < len(text) and lines - i < MOST_BLANKS and text[lines] in b" \t\r\n":
                lines += 1
            if _CAST.match(text, lines, lines + LOOK) is not None:
                i = lines
        if operator == b":":
            found = _TYPED.match(text, i, i + LOOK)
            if found and found[1].lower() in TYPES and text[found.end() : found.end() + 1] != b"=":
                i = found.end()
        return self.at(text, i, name)._replace(spaced=spaced)

    def at(self, text: bytes, i: int, name: Name) -> Value:
        """Read the value that begins at ``i``."""
        budget.ask(budget.VALUE)
        size = len(text)
        read = _READ.match(text, i, i + LOOK)
        if read is not None and _reads(read[1]):
            default = _DEFAULT.match(text, read.end(), read.end() + LOOK)
            if default is None:
                return Value(read.end(), read.end())
            i = default.end() - 1
        sourced = _SOURCED.match(text, i, i + LOOK)
        if sourced is not None and sourced[1].lower() in SOURCES:
            i = sourced.end() - 1
        for _ in range(4):
            step = self._before_value(text, i)
            if step == i:
                break
            i = step
        if i >= size or self._masks.end(text, i) >= 0:
            return self._bare(text, i, name) if not name.rule.line else self._line(text, i)
        braced = _BRACED.match(text, i, i + LOOK)
        if braced is not None:
            inside = braced.end()
            if text[inside - 1] == 0x28:
                i = inside
            elif _HASHED.match(text, inside) is not None:
                return Value(inside, inside)
            elif text[i] in b"[&m" or _FIELDS.match(text, inside, inside + LOOK) is not None:
                found = self._brackets(text, inside - 1, name)
                if found is not None:
                    return found
        if text[i : i + 1] in (b"[", b"{", b"("):
            found = self._brackets(text, i, name)
            if found is not None:
                return found
            if text[i] != 0x28:
                most = i + MOST_BLANKS
                while i < most and text[i : i + 1] in (b"[", b"{") and self._masks.end(text, i) < 0:
                    i += 1
                spaces = i + 3
                while i < spaces and text[i : i + 1] == b" ":
                    i += 1
        slashes = 0
        while slashes < 3 and text[i + slashes : i + slashes + 1] == b"\\":
            slashes += 1
        prefix = _PREFIX.match(text, i + slashes, i + slashes + 4)
        if prefix is not None:
            return self._quoted(text, prefix.end() - 1, slashes, name)
        return self._bare_or_line(text, i, name)

    def _before_value(self, text: bytes, i: int) -> int:
        """Step over one thing that stands before the value itself."""
        dress = _DRESS.match(text, i, i + LOOK)
        if dress is not None:
            return dress.end()
        cast = _CAST.match(text, i, i + LOOK)
        if cast is not None and text[cast.end() : cast.end() + 1] in (b'"', b"'", b"{", b"["):
            return cast.end()
        call = _CALL.match(text, i, i + LOOK)
        if call is not None and (
            _PREFIX.match(text, call.end(), call.end() + 4) is not None
            or _CALL.match(text, call.end(), call.end() + LOOK) is not None
        ):
            return call.end()
        return i

    def _bare_or_line(self, text: bytes, i: int, name: Name) -> Value:
        return self._line(text, i) if name.rule.line else self._bare(text, i, name)

    def _line(self, text: bytes, i: int) -> Value:
        found = _LINE.match(text, i)
        return Value(i, i + len(found.group().rstrip(b" \t")) if found else i)

    def _quoted(self, text: bytes, opening: int, slashes: int, name: Name) -> Value:
        quote, start = text[opening], opening + 1
        mark = text[opening:start]
        masked = self._masks.end(text, start)
        if masked >= 0 and (
            masked == len(text) or text[masked] in b"\r\n\\" or text[masked] == quote
        ):
            return Value(start, masked, quoted=True)
        if slashes == 0 and text[start : start + 2] == mark * 2:
            end = text.find(mark * 3, start + 2)
            return Value(start + 2, end if end >= 0 else _line_end(text, start), quoted=True)
        if name.doubled and text[start : start + 1] == mark:
            end = text.find(mark * 2, start + 1, _line_end(text, start))
            return Value(start + 1, end if end >= 0 else _line_end(text, start), quoted=True)
        end = _closing_quote(text, start, quote, slashes)
        after = text[end + 1 : end + 2]
        if slashes == 0 and end < len(text) and text[end] == quote and after and after[0] in ALNUM:
            # The value goes on behind its quote: 'hun'ter2.
            end = self._bare(text, end + 1, name).end
            closed = text[end : end + 1] == mark
            return Value(start if closed else opening, end, quoted=True)
        return Value(start, end, quoted=True)

    def _brackets(self, text: bytes, opening: int, name: Name) -> Value | None:
        """Read what stands in brackets: one literal, or the whole run."""
        size, first = len(text), text[opening]
        if first == 0x7B and text[opening + 1 : opening + 2] in (b"{", b"%"):
            closing = b"}}" if text[opening + 1] == 0x7B else b"%}"
            end = text.find(closing, opening, min(size, opening + LOOK_BACK))
            if end >= 0 and b"\n" not in text[opening:end]:
                return Value(opening, end + 2)
        if first == 0x28 and _PREFIX.match(text, opening + 1, opening + 5) is None:
            end = text.find(b")", opening, min(size, opening + 32))
            if end >= 0 and is_placeholder(text[opening : end + 1]):
                return Value(end + 1, end + 1)
            return None
        end = self._closing_bracket(text, opening)
        if end < 0:
            return None
        whole = text[opening : end + 1]
        budget.share_after(len(whole))
        if is_placeholder(whole):
            return Value(end + 1, end + 1)
        start, stop = opening + 1, end
        while start < stop and text[start] in b" \t\r\n":
            start += 1
        while stop > start and text[stop - 1] in b" \t\r\n":
            stop -= 1
        prefix = _PREFIX.match(text, start, start + 4)
        if prefix is not None:
            inner = prefix.end()
            quote = text[inner - 1]
            if _closing_quote(text, inner, quote, 0) == stop - 1 and text[stop - 1] == quote:
                return Value(inner, stop - 1, quoted=True)
        following = text[end + 1 : end + 2]
        if first != 0x28 and following and following[0] in ALNUM and name.rule.line is False:
            # The brackets are part of the value: {hunter2}9w.
            return Value(opening, self._bare(text, end + 1, name).end)
        return Value(start, stop, many=True)

    def _closing_bracket(self, text: bytes, opening: int) -> int:
        """Return where the bracket closes, or -1."""
        if opening < self._unclosed:
            return -1
        end, closed = _closing_bracket(text, opening)
        if closed:
            return end
        self._unclosed = end
        return -1

    def _bare(self, text: bytes, i: int, name: Name) -> Value:
        """Read an unquoted value; a delimiter within it may belong to it."""
        size, end = len(text), i
        if text[i : i + 2] in (b"${", b"$(", b"#{", b"%{"):
            closed = self._closing_bracket(text, i + 1)
            if closed >= 0 and b"\n" not in text[i:closed]:
                end = closed + 1
        elif text[i : i + 1] == b"<":
            closed = text.find(b">", i, min(size, i + LOOK))
            if closed >= 0 and b"\n" not in text[i:closed]:
                end = closed + 1
        expected: list[int] = []
        while end < size:
            budget.step()
            masked = self._masks.end(text, end)
            if masked >= 0:
                end = masked
                continue
            found = _BARE.match(text, end)
            if found is not None:
                end = found.end()
                continue
            if end == i:
                break
            step = self._continues(text, end, name, expected)
            if step == 0:
                break
            end += step
        return Value(i, self._without_parentheses(text, i, end, name))

    def _without_parentheses(self, text: bytes, start: int, end: int, name: Name) -> int:
        """Leave out the ) that closes what stands before the name: (using password=x)."""
        if text[end - 1 : end] != b")":
            return end
        low = max(0, name.start - LOOK_BACK)
        low = max(low, text.rfind(b"\n", low, name.start) + 1)
        if b"(" not in text[low : name.start]:
            return end
        extra = text.count(b")", start, end) - text.count(b"(", start, end)
        while extra > 0 and end > start and text[end - 1] == 0x29:
            end -= 1
            extra -= 1
        return end

    def _continues(self, text: bytes, at: int, name: Name, expected: list[int]) -> int:
        """Return how many characters at a delimiter still belong to the value."""
        c, after = text[at], text[at + 1 : at + 2]
        if expected and c == expected[-1]:
            expected.pop()
            return 1
        if not after:
            return 0
        n = after[0]
        if c in b"\"'":
            return int(n in ALNUM)
        if c == 0x5C:
            return int(n in ALNUM and n not in DIGITS and n not in b"ntrux")
        if c in b"&,;":
            return int(self._same_value(text, at, name))
        if c in b"[{":
            closing = text.find(_CLOSING[c], at, at + LOOK_BEFORE_CLOSING)
            if closing < 0 or _BARE.fullmatch(text, at + 1, closing) is None:
                return 0
            expected.append(_CLOSING[c])
            return 1
        if c in b"]}>" and n in ALNUM:
            low = max(0, name.start - LOOK_BACK)
            low = max(low, text.rfind(b"\n", low, name.start) + 1)
            return int(_OPENING[c] not in text[low : name.start])
        if c == 0x3C:
            if n in DIGITS:
                return 1
            found = _ELEMENT.match(text, at, at + LOOK)
            if found is not None and found[1].lower() not in _TAG_NAMES:
                return len(found[1]) + 2
        return 0

    def _same_value(self, text: bytes, at: int, name: Name) -> bool:
        """Return whether what follows `&`, `,` or `;` belongs to the value before it."""
        c = text[at]
        n = text[at + 1]
        if n < 0x21 or n in b"\"'&,;<>[]{}\\|)":
            return False
        before = name.start - 1
        if before >= 0 and text[before] in _QUOTES:
            before -= 1
        while before >= 0 and name.start - before < 4 and text[before] == 0x20:
            before -= 1
        if before >= 0 and (text[before] == c or (c == 0x26 and text[before] == 0x3F)):
            return False
        pattern = _FORM_PAIR if c == 0x26 else _PAIR if c == 0x2C else _SPACED_PAIR
        return pattern.match(text, at + 1, at + 1 + LOOK) is None

    def _block(self, text: bytes, i: int, name: Name) -> Value | None:
        """Read a YAML value on the lines that follow, indented further than the name's line."""
        size = len(text)
        low = max(0, name.start - MOST_BLANKS)
        begin = text.rfind(b"\n", low, name.start) + 1
        if begin == 0 and low > 0:
            return None
        head = text[begin : name.start].rstrip(b"\"'")
        if head.strip(b" \t-"):
            return None
        indent = len(head)
        if text[i : i + 2] == b"# ":
            i = _line_end(text, i)
        marked = _BLOCK.match(text, i)
        if marked is not None:
            i = marked.end()
        elif text[i : i + 1] not in (b"\r", b"\n"):
            return None
        else:
            i += 2 if text[i : i + 2] == b"\r\n" else 1
        start = end = -1
        while i < size:
            budget.step()
            blanks = _INDENT.match(text, i)
            first = blanks.end() if blanks else i
            stop = _line_end(text, first)
            if first < stop:
                content = text[first:stop]
                # A list may stand as far left as its name.
                listed = first - i == indent and b"-" not in head and content.startswith(b"- ")
                if first - i <= indent and not (listed and marked is None):
                    break
                masked = self._masks.end(text, first) == stop
                if marked is None and not masked and not _is_scalar(content):
                    return None
                if start < 0:
                    start = first
                end = stop
                if marked is None and not content.startswith(b"- "):
                    break
            i = stop + 2 if text[stop : stop + 2] == b"\r\n" else stop + 1
        if start < 0:
            return None
        quoted = text[start] in b"\"'"
        if marked is None and quoted and end - start > 1 and text[end - 1] == text[start]:
            return Value(start + 1, end - 1, quoted=True)
        return Value(start, end, many=True)


# Within a value, a bracket closes as near as this.
LOOK_BEFORE_CLOSING: Final = 64


def skip_blanks(text: bytes, at: int) -> int:
    high = min(len(text), at + MOST_BLANKS)
    while at < high and text[at] in _BLANKS:
        at += 1
    return at


def _is_scalar(content: bytes) -> bool:
    """Return whether a line is one value and no mapping or sentence."""
    item = content.removeprefix(b"- ").rstrip(b" \t")
    if item[:1] in (b'"', b"'"):
        return item[-1:] == item[:1] and len(item) > 2
    return bool(item) and not any(c in b" \t{}[]()#" for c in item) and not item.endswith(b":")


def _reads(function: bytes) -> bool:
    words = normalise(function.decode("utf-8", "replace")).encode().split(b"_")
    return words[0] in READING or words[-1] in READING or words[0] in SOURCES


def _line_end(text: bytes, at: int) -> int:
    found = _REST.match(text, at)
    return found.end() if found else at


def _next(one_of: re.Pattern[bytes], text: bytes, at: int) -> int:
    """Return the next place of a character of a class, or -1."""
    budget.step()
    for start, end in budget.stretches(len(text), at):
        found = one_of.search(text, start, end)
        if found is not None:
            return found.start()
    return -1


def _slashes_before(text: bytes, at: int, low: int) -> int:
    """Return how many backslashes stand directly before a place, not before ``low``."""
    if at == low or text[at - 1] != BACKSLASH:
        return 0
    before = text[low:at]
    return len(before) - len(before.rstrip(b"\\"))


def _closing_quote(text: bytes, start: int, quote: int, slashes: int) -> int:
    """Return the end of a value that began after a quote with so many backslashes before it."""
    lines, crossed, at = 0, -1, start
    stops = _STOPS[quote]
    while True:
        begin = at
        i = _next(stops, text, at)
        if i < 0:
            return len(text) if crossed < 0 else crossed
        at = i + 1
        if text[i] in b"\r\n":
            if slashes > 0:
                return i
            if crossed < 0:
                crossed = i
            lines += 1
            if lines > MOST_LINES:
                return crossed
            continue
        if crossed >= 0 and i - start > LONGEST_OVER_LINES:
            return crossed
        run = _slashes_before(text, i, begin)
        if slashes > 0:
            if run <= slashes:
                return i - run
        elif run % 2 == 0:
            after = text[at : at + 1]
            if crossed >= 0:
                if text[i - 1] not in b"=:([{, " and (not after or after in b" \t\r\n,;})]"):
                    return i
            elif i > start and after and after[0] == quote and _is_alnum(text, at + 1):
                at += 1  # Doubled, it stands for one.
            else:
                return i


def _is_alnum(text: bytes, at: int) -> bool:
    return at < len(text) and text[at] in ALNUM


def _closing_bracket(text: bytes, opening: int) -> tuple[int, bool]:
    """Return where the bracket closes, in its line or soon after; or how far it does not."""
    expected = [_CLOSING[text[opening]]]
    at = opening + 1
    lines = 0
    unclosed = b""  # the quotes that do not close in this line
    while True:
        place = _next(_SPECIAL, text, at)
        if place < 0:
            return len(text), False
        at = place + 1
        c = text[place]
        if c == 0x0A:
            lines += 1
            unclosed = b""
        elif c in b"\"'":
            if c not in unclosed:
                literal = _LITERALS[c].match(text, at)
                if literal is not None:
                    at = literal.end()
                else:
                    unclosed += bytes((c,))
        elif c in _CLOSING:
            expected.append(_CLOSING[c])
        elif c == expected[-1]:
            expected.pop()
            if not expected:
                return at - 1, True
        if lines and (at - opening > LONGEST_OVER_LINES or lines > MOST_LINES):
            return at, False
        if len(expected) > MOST_NESTED:
            return at, False
