"""A fork waits for searches that other threads are in the middle of."""

import os
import threading
from typing import Any

import pytest

from glasshouse.redaction import matching
from glasshouse.redaction.late import late_property
from glasshouse.redaction.matching import Watched
from glasshouse.redaction.patterns import compile_pattern


class Slow:
    """An expression whose search takes as long as the test wants."""

    def __init__(self) -> None:
        self.entered, self.go_on = threading.Event(), threading.Event()

    def Match(self, text: str) -> str:
        self.entered.set()
        self.go_on.wait(60)
        return text

    def groups(self) -> int:
        return 1


def fork_at_once() -> None:
    """Fork a child that ends at once."""
    pid = os.fork()
    if not pid:
        # Nothing of the test's process is to run here.
        os.kill(os.getpid(), 9)
    os.waitpid(pid, 0)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Any:
    slow = Slow()
    thread = threading.Thread(target=Watched(slow).Match, args=("text",))
    thread.start()
    assert slow.entered.wait(60)
    yield slow
    slow.go_on.set()
    thread.join()


def test_a_fork_waits_for_a_search(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "_LONGEST_S", 240)
    threading.Timer(0.5, slow.go_on.set).start()
    fork_at_once()
    assert slow.go_on.is_set()


def test_a_fork_is_not_held_back_indefinitely(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "_LONGEST_S", 0.2)
    fork_at_once()
    assert not slow.go_on.is_set()


def test_a_search_waits_for_a_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "_LONGEST_S", 240)
    slow = Slow()
    slow.go_on.set()
    matching._alone.append(-1)
    thread = threading.Thread(target=Watched(slow).Match, args=("text",))
    thread.start()
    assert not slow.entered.wait(0.2)
    matching._alone.remove(-1)
    assert slow.entered.wait(60)
    thread.join()
    assert matching._inside == {}


def test_a_search_does_not_wait_indefinitely_for_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "_LONGEST_S", 0.2)
    slow = Slow()
    slow.go_on.set()
    matching._alone.append(-1)
    try:
        Watched(slow).Match("text")
        assert not matching._alone, "the next one would wait again"
    finally:
        matching._alone.clear()


def test_every_compiled_pattern_is_watched_once() -> None:
    pattern, again = compile_pattern("a(b)"), compile_pattern("a(b)")
    for one in (pattern, again):
        assert isinstance(one._regexp, Watched)
        assert not isinstance(one._regexp._expression, Watched)
    found = pattern.search(b"xab")
    assert found is not None
    assert found[1] == b"b"
    assert pattern.groups == 1


def test_a_late_value_is_made_once() -> None:
    made: list[int] = []

    class Owner:
        @late_property
        def value(self) -> int:
            """A value."""
            made.append(1)
            return 7

    owner = Owner()
    assert (owner.value, owner.value, made) == (7, 7, [1])
