"""Rows of `vendor_tokens` in the policy: how the tokens of one vendor look."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Any, Final, cast

from glasshouse.redaction.ascii import DIGITS, LOWER, UPPER
from glasshouse.redaction.late import late_property

FIELDS: Final = frozenset(
    {"vendor", "mask", "prefix", "length", "alphabet", "lead", "then", "beside", "needs"}
    | {"keeps_prefix", "docs"}
)
# Bounds a run whose length has no upper bound in the table.
MOST_OF_TOKEN: Final = 512
# The most that a row may ask for.
LONGEST_RUN: Final = 8192
# A token of fewer characters is a word too often.
LEAST_OF_TOKEN: Final = 12
# A prefix of two characters says little: so many must follow.
SHORT_PREFIX: Final = 2
LEAST_AFTER_SHORT_PREFIX: Final = 24
SHORTEST_WORD: Final = 3
UUID_LENGTH: Final = 36

_UUID: Final = "uuid"
_LETTERS: Final = "A-Za-z"
# By name, bodies of classes of characters.
_ALPHABETS: Final = {
    "digits": "0-9",
    "hex": "0-9a-f",
    "hex_upper": "0-9A-F",
    "hex_any": "0-9a-fA-F",
    "lower": "a-z",
    "letters": _LETTERS,
    "alnum_lower": "0-9a-z",
    "alnum_upper": "0-9A-Z",
    "alnum": "0-9A-Za-z",
    "base32": "A-Z2-7",
    "base58": "1-9A-HJ-NP-Za-km-z",
    "base64": "0-9A-Za-z+/=",
    "base64_bare": "0-9A-Za-z+/",
    "base64url": "0-9A-Za-z_-",
    "base64url_padded": "0-9A-Za-z_=-",
    "any_base64": "0-9A-Za-z_+/=-",
    "word": "0-9A-Za-z_",
    "word_lower": "0-9a-z_-",
    "dashed": "0-9A-Za-z-",
    "dotted": "0-9A-Za-z_.-",
    "dotted_padded": "0-9A-Za-z_.=-",
    "tilde": "0-9A-Za-z_.~-",
    "path": "0-9A-Za-z_/-",
    "dotted_base64": "0-9A-Za-z_+/=.-",
    "query": "0-9A-Za-z_%&=-",
}
_UUID_FORM: Final = "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
_NEEDS: Final[Mapping[str, tuple[frozenset[int], ...]]] = {
    "": (),
    "digit": (DIGITS,),
    "case": (UPPER, LOWER),
    "mixed": (DIGITS, UPPER, LOWER),
    "random": (DIGITS, UPPER, LOWER),
}
_LENGTH: Final = re.compile(r"([0-9]{1,4})(-?)([0-9]{0,4})", re.ASCII)
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")
_WORD: Final = re.compile(r"[a-z][\x21-\x40\x5b-\x7e]{2,}")


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run of one alphabet, or a UUID."""

    least: int
    most: int
    alphabet: frozenset[int]
    pattern: str
    is_uuid: bool = False


@dataclass(frozen=True, kw_only=True)
class TokenRow:
    """One form of a vendor's tokens."""

    order: int
    vendor: str
    mask: bytes
    prefixes: tuple[bytes, ...]
    """None: any token of this form, beside a word."""
    words: tuple[bytes, ...]
    """Beside which alone it counts."""
    lead: Run | None
    form: str
    """What follows the prefix, as a pattern; the last part of it is a group."""
    least: int
    """The fewest characters of a token, with its prefix or its word."""
    start: str
    """What follows the prefix begins so, as a pattern."""
    last: Run | None
    """The run it ends with."""
    needs: tuple[frozenset[int], ...]
    keeps_prefix: bool
    random: bool
    """Its letters and digits are in no order, as those of words are."""
    parts: int
    both_cases: bool
    """Of the first run's alphabet."""
    masked: bytes = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "masked", b"[" + self.mask + b"]")

    @late_property
    def rest(self) -> re.Pattern[bytes]:
        """Most rows are never tried, and hundreds take a while to compile."""
        return re.compile(self.form.encode())


class RowError(ValueError):
    """Says what is wrong with a row."""


def read_row(entry: Mapping[str, Any], order: int) -> TokenRow:
    """Return a row.

    Raises:
        RowError: says what is wrong.
    """
    vendor = str(entry.get("vendor") or "")
    mask = str(entry.get("mask") or f"{vendor}_token")
    if not _NAME.fullmatch(vendor) or not _NAME.fullmatch(mask):
        raise RowError(f"vendor and mask must match {_NAME.pattern}")
    if any(entry.get(name) in (None, "") for name in ("length", "alphabet", "docs")):
        raise RowError("needs length, alphabet and docs")
    needs = str(entry.get("needs") or "")
    if needs not in _NEEDS:
        raise RowError(f'needs: unknown "{needs}": use digit, case, mixed or random')
    alphabet = str(entry["alphabet"])
    then = str(entry.get("then") or "")
    first = _run(f"{entry['length']} {alphabet}")
    parts: list[Run | str] = [first]
    try:
        parts += _form(then)
    except RowError as error:
        raise RowError(f"then: {error}") from None
    lead = None
    if entry.get("lead"):
        try:
            lead = _run(str(entry["lead"]))
        except RowError as error:
            raise RowError(f"lead: {error}") from None
    prefixes, words = _texts(entry.get("prefix")), _texts(entry.get("beside"))
    keeps_prefix = bool(entry.get("keeps_prefix"))
    _check(prefixes, words, parts, lead, keeps_prefix=keeps_prefix)
    last = parts[-1]
    return TokenRow(
        order=order,
        vendor=vendor,
        mask=mask.encode(),
        prefixes=tuple(prefix.encode() for prefix in prefixes),
        words=tuple(word.encode() for word in words),
        lead=lead,
        form=f"{''.join(map(_pattern, parts[:-1]))}({_pattern(last)})",
        least=min(map(len, words or prefixes))
        + sum(part.least if isinstance(part, Run) else len(part) for part in parts),
        start=_start(first),
        last=last if isinstance(last, Run) else None,
        needs=_NEEDS[needs],
        random=needs == "random",
        keeps_prefix=keeps_prefix,
        parts=len(parts),
        both_cases={ord("A"), ord("a")} <= first.alphabet,
    )


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, list):
        return [str(one) for one in cast(list[object], value)]
    return [str(value)]


@cache
def _run(text: str) -> Run:
    """Read a length and an alphabet: `36 alnum`, `20-40 hex`, `30- base64url`."""
    length, _, name = text.partition(" ")
    bounds = _LENGTH.fullmatch(length)
    if bounds is None or (not bounds[2] and bounds[3]):
        raise RowError(
            f'length: "{length}" is neither a number, as 36, nor a range, as 20-40 or 30-'
        )
    least = int(bounds[1])
    most = int(bounds[3]) if bounds[3] else MOST_OF_TOKEN if bounds[2] else least
    if not 0 <= least <= most <= LONGEST_RUN:
        raise RowError(f'length: "{length}" is not between 0 and {LONGEST_RUN}')
    if name == _UUID:
        if least != UUID_LENGTH or most != UUID_LENGTH:
            raise RowError(f"length: a uuid has {UUID_LENGTH} characters")
        return Run(
            least=least, most=most, alphabet=frozenset(b"-"), pattern=_UUID_FORM, is_uuid=True
        )
    body = _ALPHABETS.get(name)
    if body is None:
        known = ", ".join(sorted({*_ALPHABETS, _UUID}))
        raise RowError(f'unknown alphabet "{name}": use {known}')
    members = re.compile(f"[{body}]")
    return Run(
        least=least,
        most=most,
        alphabet=frozenset(c for c in range(128) if members.fullmatch(chr(c))),
        pattern=f"[{body}]",
    )


def _form(text: str) -> list[Run | str]:
    """Read literals with runs in braces between them: `.{24 alnum}-X`."""
    parts: list[Run | str] = []
    while text:
        literal, brace, rest = text.partition("{")
        if literal:
            parts.append(literal)
        if not brace:
            break
        body, closed, text = rest.partition("}")
        if not closed:
            raise RowError(f'"{{{rest}" has no }}')
        parts.append(_run(body))
    return parts


def _pattern(part: Run | str) -> str:
    if isinstance(part, str):
        return re.escape(part)
    if part.is_uuid:
        return part.pattern
    # Possessive: a run gives nothing back, in either engine.
    return f"{part.pattern}{{{part.least},{part.most}}}+"


def _start(first: Run) -> str:
    """Return a short pattern that whatever follows the prefix begins with."""
    if first.is_uuid:
        return "[0-9A-Fa-f]{8}-"
    return f"{first.pattern}{{{min(first.least, 10)}}}"


def _check(
    prefixes: Sequence[str],
    words: Sequence[str],
    parts: Sequence[Run | str],
    lead: Run | None,
    *,
    keeps_prefix: bool,
) -> None:
    """Refuse rows that ordinary words would fit."""
    for word in words:
        if not _WORD.fullmatch(word):
            raise RowError(
                f'beside: "{word}" is not a lower-case word of {SHORTEST_WORD} characters or more'
            )
    for run, text in pairwise(parts):
        if not isinstance(run, Run) or not isinstance(text, str) or run.least == run.most:
            continue
        if ord(text[0]) in run.alphabet:
            raise RowError(f'then: the run before "{text}" takes its first character, too')
    if words:
        if lead is not None or keeps_prefix:
            raise RowError("lead and keeps_prefix do not go with beside")
        return
    if not prefixes:
        raise RowError("needs prefix, or beside for tokens without one")
    length = lead.least if lead else 0
    length += sum(part.least if isinstance(part, Run) else len(part) for part in parts)
    for prefix in prefixes:
        size = len(prefix)
        too_short = size < SHORT_PREFIX and (lead is None or not size)
        if too_short or (size <= SHORT_PREFIX and length < LEAST_AFTER_SHORT_PREFIX):
            raise RowError(
                f'prefix: "{prefix}" is too short to be believed alone: '
                "name the vendor's word in beside"
            )
        if size + length < LEAST_OF_TOKEN and not keeps_prefix:
            raise RowError(
                f"length: a token of {size + length} characters is too short to be believed alone"
            )
        if lead is None and not _is_alnum(prefix[0]):
            raise RowError(f'prefix: "{prefix}" does not begin with a letter or digit')
        if lead is not None and all(map(_is_alnum, prefix)):
            raise RowError(
                f'prefix: "{prefix}" behind a lead needs a character that is no letter or digit'
            )


def _is_alnum(character: str) -> bool:
    return character.isascii() and character.isalnum()
