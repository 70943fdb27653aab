"""Makes what differs from run to run the same: ids, times, pseudonyms, stack traces."""

import re
from collections.abc import Mapping
from typing import Any, Final, cast

_ID: Final = re.compile(
    r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"
    r"|\b(?=[a-f]*[0-9])[0-9a-f]{32}\b|\b(?=[a-f]*[0-9])[0-9a-f]{16}\b"
)
# Made with a key, which is a random one where none is set.
_PSEUDONYM: Final = re.compile(r"\[([a-z][a-z0-9_]*):[0-9a-f]{16}\]")
_TRACEBACK: Final = "Traceback (most recent call last):"
_CHANGING: Final = frozenset({"thread.id", "process.pid", "code.line.number", "code.lineno"})
_TIME_UNITS: Final = frozenset({"s", "ms", "us", "ns"})
# At the same moment a span starts before a record within it, and ends after it.
_RANK: Final = {"start": 0, "time": 1, "end": 2}


class Stable:
    """Replaces one after the other; the same value gets the same replacement throughout."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], str] = {}

    def document(self, document: Mapping[str, list[dict[str, Any]]]) -> dict[str, Any]:
        """Return a copy of what `Telemetry.as_dicts` makes."""
        moments = sorted(_moments(document))
        # Equal times keep their order: each moment has a number of its own.
        order = {place: number for number, (_, _, place) in enumerate(moments, 1)}
        return {
            signal: [
                {
                    key: self._field(key, value, order, (signal, number), item)
                    for key, value in item.items()
                }
                for number, item in enumerate(items)
            ]
            for signal, items in document.items()
        }

    def _field(
        self, key: str, value: Any, order: Mapping[Any, int], place: tuple[Any, ...], item: Any
    ) -> Any:
        if key in _RANK:
            return order[(*place, key)]
        if key in ("trace_id", "span_id", "parent_id"):
            return self._named(key.partition("_")[0].replace("parent", "span"), value)
        if key == "value" and item.get("count") is not None and item.get("unit") in _TIME_UNITS:
            return 0
        if key in ("events", "links"):
            return [
                {
                    name: self._field(name, one, order, (*place, key, number), inner)
                    for name, one in inner.items()
                }
                for number, inner in enumerate(value)
            ]
        return self._value(key, value)

    def _value(self, key: str, value: Any) -> Any:
        match value:
            case str() if _TRACEBACK in value:
                return f"{_TRACEBACK} … {self._text(value.strip().splitlines()[-1])}"
            case str():
                return self._text(value)
            case dict():
                items = cast(dict[str, Any], value)
                return {name: self._value(name, one) for name, one in items.items()}
            case list():
                return [self._value(key, one) for one in cast(list[Any], value)]
            case int() | float() if key in _CHANGING:
                return 0
            case _:
                return value

    def _text(self, text: str) -> str:
        text = _PSEUDONYM.sub(lambda found: f"[{self._named(found[1], found[0], ':')}]", text)
        return _ID.sub(lambda found: self._named("id", found[0]), text)

    def _named(self, kind: str, value: str, joint: str = "-") -> str:
        if not value:
            return value
        number = 1 + sum(known == kind for known, _ in self._known)
        return self._known.setdefault((kind, value), f"{kind}{joint}{number}")


def _moments(document: Mapping[str, list[dict[str, Any]]]) -> list[tuple[int, int, Any]]:
    found: list[tuple[int, int, Any]] = []
    for signal, items in document.items():
        for number, item in enumerate(items):
            found += [
                (item[key], rank, (signal, number, key))
                for key, rank in _RANK.items()
                if key in item
            ]
            found += [
                (event["time"], _RANK["time"], (signal, number, "events", inner, "time"))
                for inner, event in enumerate(item.get("events", ()))
            ]
    return found
