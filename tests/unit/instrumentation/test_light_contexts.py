"""The API answers with the same context, whichever way it asks for it."""

import functools
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext

from glasshouse.light import contexts

KEY = context.create_key("test")


@pytest.fixture(autouse=True)
def uninstalled() -> Iterator[None]:
    contexts.uninstall()
    yield
    contexts.uninstall()


def answers() -> list[Any]:
    """Return what the API's ways of asking say, within a context and after it."""
    span = NonRecordingSpan(SpanContext(1, 2, is_remote=False))
    found: list[Any] = []

    def ask() -> None:
        found.extend((dict(context.get_current()), context.get_value(KEY)))
        found.extend((trace.get_current_span() is span, trace.get_current_span(Context()) is span))

    ask()
    token = context.attach(trace.set_span_in_context(span, context.set_value(KEY, "here")))
    try:
        ask()
        found[-4] = sorted(map(str, found[-4]))
    finally:
        context.detach(token)
    ask()
    return found


def test_the_answers_are_the_same() -> None:
    own = context.get_current
    expected = answers()
    contexts.install()
    assert context.get_current is not own
    assert answers() == expected
    assert "here" in expected
    assert True in expected
    contexts.install()
    contexts.uninstall()
    assert context.get_current is own


def test_what_another_package_has_replaced_stays_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    original = context.get_current
    theirs = functools.wraps(original)(lambda: original())
    monkeypatch.setattr(context, "get_current", theirs)
    contexts.install()
    assert context.get_current is theirs
