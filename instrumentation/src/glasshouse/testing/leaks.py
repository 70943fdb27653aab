"""Looks for texts in what was captured, and says where they are."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast
from urllib.parse import unquote

from glasshouse.redaction import Redactor

# The text, the key of the attribute it is in (or ""), and a place for people.
Leaf = tuple[Any, str, str]


def leaves(document: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[Leaf]:
    """Yield every value, and every attribute's name, that was captured."""
    for signal, items in document.items():
        for item in items:
            what = f"{signal.removesuffix('s')} {item.get('name') or item.get('body')!r}"
            for key, value in item.items():
                yield from _below(value, key, "", f"{what}, {key}")


def _below(value: Any, field: str, key: str, where: str) -> Iterator[Leaf]:
    mapping = cast(Mapping[str, Any], value) if isinstance(value, Mapping) else None
    items = cast(list[Any], value) if isinstance(value, list) else []
    if mapping is not None:
        attributes = field in ("attributes", "resource")
        for name, one in mapping.items():
            if attributes:
                yield name, "", f"{where}: a name"
            yield from _below(one, name, name if attributes else key, f"{where}.{name}")
    elif any(isinstance(one, Mapping) for one in items):
        for one in items:
            yield from _below(one, field, key, where)
    elif value is not None:
        yield value, key, where


def personal(leaf: Leaf, redactor: Redactor) -> str | None:
    """Return a line about what ``redactor`` would still mask, None when there is nothing."""
    value, key, where = leaf
    masked = redactor.value(value, key) if key else redactor.value(value)
    if masked == value:
        return None
    return f"{where}: {value!r} (would be {masked!r})"


def holds(leaf: Leaf, text: str) -> str | None:
    """Return a line about ``text`` in a value, None when it is not there.

    Case does not matter, and an address is found in a URL, too, where it is written with %40.
    """
    value, _, where = leaf
    found = str(value).casefold()
    wanted = text.casefold()
    if wanted in found or wanted in unquote(found):
        return f"{where}: {value!r}"
    return None
