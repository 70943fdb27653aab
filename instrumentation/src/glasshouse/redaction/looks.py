"""Whether a text is clean, asked of `glasshouse-native` first.

It says so of most texts, by the conditions of `triggers` and by the patterns themselves, and says
nothing of the others: those go to the engine. All that it knows of the policy it is given here.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import groupby
from string import ascii_lowercase
from typing import Any, Final

from glasshouse import native
from glasshouse.event_loops import is_on_loop
from glasshouse.redaction.emails import EMAIL, NEAR_EMAIL, EmailPattern
from glasshouse.redaction.fold import SIGNS
from glasshouse.redaction.keys import LONGEST_KEY, MOST_NAMES, KeyInfo
from glasshouse.redaction.needs import COUNTED, Count, Literal
from glasshouse.redaction.pairs import QUERY_SIGNS, Pairs
from glasshouse.redaction.policy import Policy, Rule
from glasshouse.redaction.syntax import Chars, Choice, Node, Repeat, parse
from glasshouse.redaction.triggers import PAIR_SIGNS
from glasshouse.redaction.vendor_tokens import VendorTokens

# What is longer keeps the interpreter for too long.
LONGEST: Final = 4096
# Of those that `Chars.ascii` is a set of.
_ASCII: Final = range(128)
_LETTERS: Final = {1 << ord(c) | 1 << ord(c.upper()): c for c in ascii_lowercase}

Classify = Callable[[str], KeyInfo]
# Words; whether it is a query; whether ids are spared and from how many bytes on; both for whole
# numbers.
Said = tuple[bytes, bool, tuple[bool, int], tuple[bool, int] | None]


class Looks:
    """Asks the module. Safe for use by many threads.

    native: its object. least_digits: from how many on an integer may be a number of a person.
    """

    def __init__(self, native_looks: Any, classify: Classify, least_digits: int = 0) -> None:
        self.native = native_looks
        # Nothing in it calls Python, so the end of the process cannot meet a thread in there.
        self._is_clean: Callable[[str, str], Any] = native_looks.is_clean
        self._classify = classify
        self.least_digits = least_digits
        self._learnt = 0

    def is_clean(self, key: str, text: str) -> bool:
        """Return whether the engine would change nothing in a text under a name.

        False says nothing.
        """
        try:
            found = self._is_clean(key, text)
            while found is not True and found is not False:
                if not (self._learn(key) if found is None else self._compile(found)):
                    return False
                found = self._is_clean(key, text)
        # No failure of the module's changes what becomes of a text, or ends a thread.
        except BaseException as error:
            if not native.is_failure(error):
                raise
            self._is_clean = _says_nothing
            native.refuse(error)
            return False
        return found is True

    def _compile(self, pattern: Any) -> bool:
        """Compile a pattern that a text needs. Not on an event loop: it takes milliseconds."""
        if is_on_loop():
            return False
        pattern.compile(pattern.source())
        return True

    def _learn(self, key: str) -> bool:
        """Say what the policy says of a name. Names that are long, or too many, stay unknown."""
        if self._learnt >= MOST_NAMES or len(key) > LONGEST_KEY:
            return False
        self._learnt += 1
        said = self.said(key)
        self.native.learn(key, said)
        return said is not None

    def said(self, key: str) -> Said | None:
        """Return what the module has to know of a name; None where values go for it alone."""
        info = self._classify(key)
        if info.secret is not None or info.user or not info.words.isascii():
            return None
        whole = info.whole and (info.whole.exempt, info.whole.own_from)
        return info.words, info.query, (info.exempt, info.own_from), whole


def _says_nothing(_: str, __: str) -> bool | None:
    return False


def looks(policy: Policy, pairs: Pairs, tokens: VendorTokens, classify: Classify) -> Looks | None:
    """Return what asks the module; None where Python does it all."""
    module = native.module()
    if module is None:
        return None

    def make() -> Looks:
        given = _described(policy, pairs, tokens)
        made = Looks(module.Looks(given), classify, policy.limits.min_number_digits)
        # What is damaged shows here, and not with each text.
        made.native.is_clean("", "a")
        return made

    return native.attempt(make)


def _described(policy: Policy, pairs: Pairs, tokens: VendorTokens) -> dict[str, Any]:
    """Return the policy as the module takes it. Rules are their places."""
    rules = policy.rules
    return {
        "rules": len(rules),
        "counts": _counts(
            [(place, atom) for place, rule in enumerate(rules) for atom in rule.needs.counts]
        ),
        "literals": _literals(rules),
        "counted": _counts(
            [
                (place, atom)
                for place, rule in enumerate(rules)
                for atom in rule.needs.any_of
                if isinstance(atom, Count)
            ]
        ),
        "asking": _places(rules, lambda rule: bool(rule.needs.any_of)),
        "words": _words(rules),
        "near": _places(rules, lambda rule: bool(rule.context_words)),
        # All patterns are functions that write them: it takes a while, and few are ever needed.
        "patterns": [None if rule.builtin else partial(_pattern, rule) for rule in rules],
        "suppressed_on_ids": _places(rules, lambda rule: rule.suppress_on_id_keys),
        "only_own": _places(rules, lambda rule: rule.only_own_keys),
        "not_in_ids": _places(rules, lambda rule: rule.not_in_ids),
        "pairs": _places(rules, lambda rule: rule.builtin == "pairs"),
        "pair_signs": PAIR_SIGNS,
        "pair_names": lambda: pairs.names_pattern,
        "query_names": (lambda: pairs.query_pattern) if pairs.query_pattern else None,
        "query_signs": QUERY_SIGNS,
        "tokens": _places(rules, lambda rule: bool(rule.builtin) and rule.builtin != "pairs"),
        "token_starts": partial(_token_starts, tokens) if any(tokens.start_patterns) else None,
        "least_token": tokens.least,
        "folds": _folds,
        "longest": min(LONGEST, policy.limits.max_bytes),
    }


def _places(rules: Sequence[Rule], wanted: Callable[[Rule], bool]) -> list[int]:
    return [place for place, rule in enumerate(rules) if wanted(rule)]


def _counts(atoms: Iterable[tuple[int, Count]]) -> list[tuple[int, int, list[int]]]:
    by_count: dict[Count, list[int]] = {}
    for place, atom in atoms:
        by_count.setdefault(atom, []).append(place)
    return [(COUNTED.index(atom.kind), atom.least, places) for atom, places in by_count.items()]


def _literals(rules: Sequence[Rule]) -> list[tuple[bytes, bool, list[int]]]:
    by_literal: dict[Literal, list[int]] = {}
    for place, rule in enumerate(rules):
        for atom in rule.needs.any_of:
            # No other is in a text of ASCII.
            if isinstance(atom, Literal) and atom.text.isascii():
                by_literal.setdefault(atom, []).append(place)
    return [(atom.text.encode(), atom.folded, places) for atom, places in by_literal.items()]


def _words(rules: Sequence[Rule]) -> list[tuple[bytes, list[int]]]:
    by_word: dict[bytes, list[int]] = {}
    for place, rule in enumerate(rules):
        for word in rule.context_words:
            if word.isascii():
                by_word.setdefault(word.lower(), []).append(place)
    return list(by_word.items())


def _folds() -> str:
    return "|".join(_in_ascii(sign + behind) for sign, behind in SIGNS)


def _token_starts(tokens: VendorTokens) -> str:
    begun, elsewhere = tokens.start_patterns
    ways = [f"(?:^|[^0-9A-Za-z])(?:{_in_ascii(begun)})"] if begun else []
    return "|".join([*ways, _in_ascii(elsewhere)] if elsewhere else ways)


def _pattern(rule: Rule) -> str:
    if isinstance(rule.pattern, EmailPattern):
        return _in_ascii(NEAR_EMAIL if rule.pattern.is_near else EMAIL)
    return _in_ascii(rule.pattern.pattern)


def _in_ascii(pattern: str) -> str:
    """Return a pattern that matches in a text of ASCII where this one does.

    It is spelled out byte by byte: not every engine reads every class and escape alike. And it is
    short: to compile it takes a hundred times its length, which the process keeps.
    """
    return _spelled(parse(pattern))


def _spelled(node: Node) -> str:
    match node:
        case Chars(ascii=members):
            return _class(members)
        case Repeat(item, least, most):
            return f"(?:{_spelled(item)}){{{least},{most if most >= 0 else ''}}}"
        case Choice(items):
            return f"(?:{'|'.join(map(_spelled, items))})"
        case _:
            return "".join(_row(node.items))


def _row(items: Iterable[Node]) -> Iterator[str]:
    """Yield what stands behind each other; letters in either case as one."""
    for letters, run in groupby(items, lambda node: _letter(node) != ""):
        if letters:
            yield f"(?i:{''.join(map(_letter, run))})"
        else:
            yield from map(_spelled, run)


def _letter(node: Node) -> str:
    """Return the letter that a node stands for in either case; nothing where it does not."""
    return _LETTERS.get(node.ascii, "") if isinstance(node, Chars) else ""


def _class(members: int) -> str:
    codes = [code for code in _ASCII if members >> code & 1]
    # A range is codes that differ from their places by the same.
    ranges = [
        [code for _, code in run]
        for _, run in groupby(enumerate(codes), lambda placed: placed[1] - placed[0])
    ]
    inside = "".join([_range(run[0], run[-1]) for run in ranges])
    if len(codes) == 1:
        return inside
    return f"[{inside}]" if inside else "[^\\x00-\\xff]"


def _range(first: int, last: int) -> str:
    return f"\\x{first:02x}" + (f"-\\x{last:02x}" if last > first else "")
