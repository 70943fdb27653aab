"""Ordinary spans, encoded by `glasshouse-native` where it is installed."""

from collections.abc import Callable
from typing import Any

from glasshouse import native
from glasshouse.encoding.wire import sized
from glasshouse.light.spans import UNSET, LightSpan
from glasshouse.redaction.looks import Looks, Said
from glasshouse.redaction.matching import watched

Encode = Callable[[Any], bytes | None]


def encoder_of_spans(
    looks: Looks | None,
    *,
    kinds: list[tuple[Any, bytes]],
    statements: list[str],
    head: Callable[[str], bytes | None],
    text: Callable[[str], bytes],
    field: Callable[[Any, Any], bytes | None],
    status: Callable[[Any], bytes],
    stripped: Callable[[dict[str, Any]], Any],
) -> Encode | None:
    """Return what returns a span as a field of a `ScopeSpans`, or None for one that is unusual.

    Without the module there is no such function. All functions are Python's ways, for what the
    module leaves to it: it calls none of them itself.
    """
    module = native.module()
    if module is None or looks is None:
        return None

    def named(key: str) -> tuple[bytes, Said | None] | None:
        beginning = head(key)
        return None if beginning is None else (beginning, looks.said(key))

    def make() -> Encode:
        given = {
            "looks": looks.native,
            "kind": LightSpan,
            "kinds": kinds,
            "unset": UNSET,
            "statements": statements,
            "least_digits": looks.least_digits,
        }
        spans = module.Spans(given)
        encode = watched(spans.encode)
        # By their numbers there.
        ways = (text, field, status)

        def encoded(span: Any) -> bytes | None:
            attributes = None
            while True:
                found = encode(span, attributes)
                kind = type(found)
                if kind is bytes or found is None:
                    return found
                if kind is tuple:
                    return _filled(*found, ways)
                if kind is str:
                    spans.learn(found, named(found))
                    continue
                attributes = stripped(found)
                if type(attributes) is not dict:
                    return None

        return encoded

    return native.attempt(make)


def _filled(content: bytes, left: list[Any], ways: tuple[Callable[..., Any], ...]) -> bytes | None:
    """Put in what was left to Python."""
    out, done = list[bytes](), 0
    for at, way, *given in left:
        part = ways[way](*given)
        # Two names may become one.
        if part is None:
            return None
        out += (content[done:at], part)
        done = at
    out.append(content[done:])
    return b"\x12" + sized(b"".join(out))
