"""Ordinary spans, encoded by `glasshouse-native` where it is installed."""

from collections.abc import Callable
from typing import Any

from glasshouse import native
from glasshouse.light.spans import UNSET, LightSpan
from glasshouse.redaction.looks import Looks, Said
from glasshouse.redaction.matching import watched


def encoder_of_spans(
    looks: Looks | None, *, head: Callable[[str], bytes | None], **parts: Any
) -> Callable[[Any], bytes | None] | None:
    """Return what returns a span as a field of a `ScopeSpans`, or None for one that is unusual.

    Without the module there is no such function. ``head`` and ``parts`` are Python's ways, for what
    the module leaves to it.
    """
    module = native.module()
    if module is None or looks is None:
        return None

    def named(key: str) -> tuple[bytes, Said | None] | None:
        beginning = head(key)
        return None if beginning is None else (beginning, looks.said(key))

    def make() -> Callable[[Any], bytes | None]:
        given = {
            "looks": looks.native,
            "kind": LightSpan,
            "unset": UNSET,
            "least_digits": looks.least_digits,
            "named": named,
            **parts,
        }
        return watched(module.Spans(given).encode)

    return native.attempt(make)
