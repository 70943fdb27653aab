"""What a text must hold for a pattern to match it, derived from the pattern's syntax.

A condition that is checked before a pattern runs only saves time, and must never change a
result. So nobody writes it by hand: here it follows from the pattern, and is weaker where the
pattern says little.

Letters are compared without regard to case where the pattern does so, A to Z alone. Beyond ASCII
two characters fold to a letter of ASCII, U+017F and U+212A: a text with one of them is always
tried (`needs.FOLDS_TO_ASCII`).
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache, reduce
from typing import Final, NamedTuple

from glasshouse.redaction import syntax
from glasshouse.redaction.ascii import ALNUM, DIGITS
from glasshouse.redaction.needs import COUNTED, Count, Literal, Needs
from glasshouse.redaction.syntax import Chars, Choice, Node, Repeat

# Beyond this many alternatives a literal is no longer spelled out.
_MOST_LITERALS: Final = 128
_MOST_MEMBERS: Final = 8

_DIGITS: Final = sum(1 << c for c in DIGITS)
_ALNUM: Final = sum(1 << c for c in ALNUM)
_SIGNS: Final = (1 << ord(":"), 1 << ord("-"), 1 << ord("."))


class _Found(NamedTuple):
    """What is known of every string that a part of a pattern matches."""

    least: int = 0
    """Characters."""
    signs: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Digits, colons, dashes, dots."""
    solid: bool = True
    """Nothing but letters and digits."""
    head: int = 0
    longest: int = 0
    tail: int = 0
    """Letters and digits at the start, together anywhere, and at the end."""
    exact: frozenset[Literal] | None = None
    """All strings there are, if these are few."""
    start: frozenset[Literal] | None = None
    end: frozenset[Literal] | None = None
    """All beginnings and all ends, likewise."""
    best: tuple[Literal | Count, ...] = ()
    """One of these is in every string, as far as anything is known."""


_NOTHING: Final = Literal("", folded=False)
_JUST_NOTHING: Final = frozenset({_NOTHING})
_EMPTY: Final = _Found(exact=_JUST_NOTHING, start=_JUST_NOTHING, end=_JUST_NOTHING)


def derive(pattern: Node, validator: str = "") -> tuple[Needs, int]:
    """Return what follows from a pattern and from the validator that its hits must pass.

    With it comes the fewest characters that the pattern matches.
    """
    found = _find(pattern)
    best = _better(found.best, _usable(found.exact))
    counts: dict[str, int] = dict(zip(COUNTED, (*found.signs, found.longest), strict=True))
    more = _OF_VALIDATORS.get(validator, Needs())
    for count in more.counts:
        counts[count.kind] = max(counts[count.kind], count.least)
    needs = Needs(
        counts=tuple(Count(kind, least) for kind, least in counts.items() if least),
        any_of=tuple(sorted(_better(best, more.any_of), key=_order)),
    )
    return needs, found.least


def _order(atom: Literal | Count) -> tuple[str, str, int]:
    if isinstance(atom, Literal):
        return "", atom.text, int(atom.folded)
    return atom.kind, "", atom.least


def _find(node: Node) -> _Found:
    match node:
        case Chars():
            return _of_chars(node.ascii, node.wide, node.folded, node.text)
        case Repeat():
            return _repeated(_find(node.item), node.least, node.most)
        case Choice(items):
            return _one_of([_find(item) for item in items])
        case syntax.Sequence(items):
            return _in_order(list(_parts(items)))


def _parts(items: Sequence[Node]) -> Iterator[_Found]:
    """Yield what is found of the items; characters in a row are one string, as most items are."""
    row: list[_Found] = []
    for item in items:
        found = _find(item)
        if isinstance(item, Chars) and found.exact is not None and len(found.exact) == 1:
            row.append(found)
            continue
        if row:
            yield _of_row(row)
            row = []
        yield found
    if row:
        yield _of_row(row)


def _of_row(characters: Sequence[_Found]) -> _Found:
    """Return what `_joined` makes of single characters."""
    if len(characters) == 1:
        return characters[0]
    literals = [literal for found in characters for literal in found.exact or ()]
    folded = any(literal.folded for literal in literals)
    text = "".join(literal.text for literal in literals)
    # None of these counts depends on the case.
    words = "".join(c if c.isascii() and c.isalnum() else " " for c in text)
    exact = frozenset({Literal(_lower(text) if folded else text, folded)})
    colons, dashes, dots = (text.count(sign) for sign in ":-.")
    return _Found(
        least=len(text),
        signs=(sum("0" <= c <= "9" for c in text), colons, dashes, dots),
        solid=" " not in words,
        head=len(words.partition(" ")[0]),
        longest=max(map(len, words.split(" "))),
        tail=len(words.rpartition(" ")[2]),
        exact=exact,
        start=exact,
        end=exact,
    )


@cache
def _of_chars(ascii: int, wide: bool, folded: bool, text: str) -> _Found:
    exact: frozenset[Literal] | None = None
    if text:
        exact = frozenset({Literal(text, folded=False)})
    elif not wide and ascii.bit_count() <= 2 * _MOST_MEMBERS:
        members = [chr(code) for code in range(128) if ascii >> code & 1]
        texts = {c.lower() if folded else c for c in members}
        if len(texts) <= _MOST_MEMBERS:
            exact = frozenset(Literal(text, folded and text.isalpha()) for text in texts)
    inside = 0 if wide else ascii
    solid = bool(inside) and not inside & ~_ALNUM
    is_digit = bool(inside) and not inside & ~_DIGITS
    return _Found(
        least=1,
        signs=(int(is_digit), *_signs(inside)),
        solid=solid,
        head=int(solid),
        longest=int(solid),
        tail=int(solid),
        exact=exact,
        start=exact,
        end=exact,
    )


def _signs(members: int) -> tuple[int, int, int]:
    colon, dash, dot = (int(members == sign) for sign in _SIGNS)
    return colon, dash, dot


def _repeated(item: _Found, least: int, most: int) -> _Found:
    if least == 0:
        exact = item.exact | {_NOTHING} if most == 1 and item.exact is not None else None
        return _Found(solid=item.solid, exact=exact, start=exact, end=exact)
    inner = item.longest if least == 1 else max(item.longest, item.tail + item.head)
    return _Found(
        least=item.least * least,
        signs=_times(item.signs, least),
        solid=item.solid,
        head=item.least * least if item.solid else item.head,
        longest=item.least * least if item.solid else inner,
        tail=item.least * least if item.solid else item.tail,
        exact=item.exact if (least, most) == (1, 1) else None,
        start=item.start,
        end=item.end,
        best=_better(item.best, _usable(item.exact)),
    )


def _times(signs: tuple[int, int, int, int], n: int) -> tuple[int, int, int, int]:
    a, b, c, d = signs
    return a * n, b * n, c * n, d * n


def _one_of(items: Sequence[_Found]) -> _Found:
    exact = _united(item.exact for item in items)
    best: set[Literal | Count] | None = set()
    for item in items:
        one = _better(_better(item.best, _usable(item.exact)), _counted(item))
        best = best | set(one) if best is not None and one else None
    a, b, c, d = (min(item.signs[i] for item in items) for i in range(4))
    return _Found(
        least=min(item.least for item in items),
        signs=(a, b, c, d),
        solid=all(item.solid for item in items),
        head=min(item.head for item in items),
        longest=min(item.longest for item in items),
        tail=min(item.tail for item in items),
        exact=exact,
        start=_united(item.start for item in items),
        end=_united(item.end for item in items),
        best=tuple(best or ()),
    )


def _united(sets: Iterable[frozenset[Literal] | None]) -> frozenset[Literal] | None:
    every: set[Literal] = set()
    for one in sets:
        if one is None:
            return None
        every |= one
    return frozenset(every)


def _in_order(items: Sequence[_Found]) -> _Found:
    whole = reduce(_joined, items, _EMPTY)
    best: tuple[Literal | Count, ...] = ()
    run = _JUST_NOTHING  # the literals that end here
    for item in items:
        best = _better(best, item.best)
        longer = _product(run, item.exact)
        if longer is None:
            best = _better(best, _usable(_product(run, item.start) or run))
            longer = item.end or _JUST_NOTHING
        run = longer
    if whole.exact is None:
        best = _better(best, _usable(run))
    return whole._replace(best=best)


def _joined(left: _Found, right: _Found) -> _Found:
    a, b, c, d = left.signs
    e, f, g, h = right.signs
    return _Found(
        least=left.least + right.least,
        signs=(a + e, b + f, c + g, d + h),
        solid=left.solid and right.solid,
        head=left.least + right.head if left.solid else left.head,
        longest=max(left.longest, right.longest, left.tail + right.head),
        tail=right.least + left.tail if right.solid else right.tail,
        exact=_product(left.exact, right.exact),
        start=_product(left.exact, right.start) or left.start,
        end=_product(left.end, right.exact) or right.end,
    )


def _product(
    left: frozenset[Literal] | None, right: frozenset[Literal] | None
) -> frozenset[Literal] | None:
    """Return every string of one followed by every one of the other, if these are few."""
    if left is None or right is None or len(left) * len(right) > _MOST_LITERALS:
        return None
    if left is _JUST_NOTHING:
        return right
    return frozenset(_together(one, other) for one in left for other in right)


def _together(left: Literal, right: Literal) -> Literal:
    folded = left.folded or right.folded
    text = left.text + right.text
    return Literal(_lower(text) if folded else text, folded)


def _lower(text: str) -> str:
    """Only A to Z."""
    return text.encode().lower().decode()


def _usable(exact: frozenset[Literal] | None) -> tuple[Literal | Count, ...]:
    if not exact or any(_weight_of(literal.text) < _LEAST_WEIGHT for literal in exact):
        return ()
    return tuple(exact)


# How seldom one character or one more of a count is in a text by chance. What weighs less than two
# letters and a sign is in too many to be worth a look.
_LEAST_WEIGHT: Final = 2.5
_COMMON_SIGNS: Final = frozenset(".-:/_=,\"'")
_COUNT_WEIGHTS: Final = {"digits": 0.3, "colons": 1.6, "dashes": 1.6, "dots": 1.6, "word": 0.1}


@cache
def _weight_of(text: str) -> float:
    return sum(map(_weight_of_one, text))


def _weight_of_one(c: str) -> float:
    if c in _COMMON_SIGNS:
        return 1.6
    if c in "0123456789":
        return 0.7
    if c in " \t" or "a" <= c <= "z":
        return 1
    return 1.3 if "A" <= c <= "Z" else 2.5


def _weight(atoms: Iterable[Literal | Count]) -> float:
    """Return how seldom a text holds one of these by chance: that of the least."""
    return min(
        (
            _COUNT_WEIGHTS[atom.kind] * atom.least
            if isinstance(atom, Count)
            else _weight_of(atom.text)
            for atom in atoms
        ),
        default=0,
    )


def _better(
    left: tuple[Literal | Count, ...], right: tuple[Literal | Count, ...]
) -> tuple[Literal | Count, ...]:
    """Choose what is seldom; of equals, the fewer."""
    if not left or not right:
        return left or right
    return left if (_weight(left), -len(left)) >= (_weight(right), -len(right)) else right


def _counted(found: _Found) -> tuple[Literal | Count, ...]:
    counts = [
        Count(kind, least)
        for kind, least in zip(COUNTED, (*found.signs, found.longest), strict=True)
        if least
    ]
    best = max(counts, key=lambda count: _weight([count]), default=None)
    return (best,) if best and _weight([best]) >= _LEAST_WEIGHT else ()


# What each validator asks of a hit besides what the pattern says.
_OF_VALIDATORS: Final = {
    "aadhaar": Needs((Count("digits", 12),)),
    "aba": Needs((Count("digits", 9),)),
    "base58check": Needs((Count("digits", 1),)),
    "card": Needs((Count("digits", 12),)),
    "cpf": Needs((Count("digits", 11),)),
    "e164": Needs((Count("digits", 7),)),
    "has_digit": Needs((Count("digits", 1),)),
    "id_like": Needs((Count("digits", 5),)),
    "ipv4": Needs((Count("digits", 4), Count("dots", 3))),
    # Without the gap there are eight groups, or six and an IPv4 address.
    "ipv6": Needs((Count("colons", 2),), (Literal("::", folded=False), Count("colons", 6))),
    "luhn": Needs((Count("digits", 12),)),
    "luhn9": Needs((Count("digits", 9),)),
    "mixed_case": Needs((Count("digits", 1),)),
    "nanp": Needs((Count("digits", 10),)),
    "phone_digits": Needs((Count("digits", 7),)),
    "ssn": Needs((Count("digits", 9),)),
    "trunk": Needs((Count("digits", 9),)),
}
