"""Time grows with the length of a text whatever it holds, and other threads get their turn."""

import threading
import time
from collections.abc import Callable

import pytest
from tests.unit.redaction.test_two_engines import vector_texts

from glasshouse.redaction import Redactor

# Built so that a rule nearly matches again and again.
SHAPES = (
    "4",
    "4 ",
    "a@",
    "a@b.",
    "é@é.",
    "é a@b.co ",
    "a@b.co ",
    "é",
    "\U0001f600",
    "://",
    "a:",
    "a=",
    "password=",
    'password="\\',
    "eyJhbGci.",
    "ab:",
    "::1",
    "1.2.3.4.",
    "DE89 ",
    "-----BEGIN PRIVATE KEY-----",
    "+1 ",
    "0 1 ",
    "1A2b",
    "bearer ",
    "basic abcd",
    "digest a=b,",
    "[",
    "[a:",
    "<password>",
    "is pin ",
    "passport 12345 ",
    "phone 1234567 ",
    "ghp_",
    "_",
    "--password ",
    ",",
    "%40",
    "-",
    '{"a":',
    "[[",
    "mysql -",
    " -u a:",
    "mnemonic = abandon abandon ",
    "tel 1-2-3-4-5-6-7-8-",
    "AKIA",
    "a\n",
    "\\",
    "&#64;",
    "%25",
    '["4111111111111111", "jane@example.com"], ',
)
SHORT, TIMES_LONG = 4 << 10, 16
# Linear growth is 1, quadratic growth TIMES_LONG.
MOST_GROWTH = 4.0
# A thread that waits for the interpreter asks for it every few milliseconds.
LONGEST_HOLD_S = 0.05
MIB = 1 << 20


def growth(work: Callable[[str], object], unit: str, *, least: int = 1) -> float:
    """Return how many times the time of its parts the whole takes, by CPU time.

    A busy machine only ever adds time: the least of several measurements counts. ``least``: how
    many there are in any case.
    """
    part = unit * (SHORT // len(unit))
    whole = part * TIMES_LONG
    parts_took = whole_took = ratio = float("inf")
    for attempt in range(20):
        if attempt >= least and ratio < MOST_GROWTH:
            break
        # None is a text that was met before: what is remembered costs next to nothing.
        parts = [f"{attempt}.{number} {part}" for number in range(4)]
        longer = f"{attempt} {whole}"
        started = time.thread_time()
        for one in parts:
            work(one)
        between = time.thread_time()
        work(longer)
        parts_took = min(parts_took, (between - started) / 4)
        whole_took = min(whole_took, time.thread_time() - between)
        ratio = whole_took / parts_took / TIMES_LONG
    return ratio


@pytest.mark.parametrize("unit", SHAPES)
def test_time_is_linear(redactor: Redactor, unit: str) -> None:
    assert growth(redactor.text, unit) < MOST_GROWTH


def test_the_measurement_sees_more() -> None:
    def quadratic(text: str) -> int:
        return sum(text[at:].count("b") for at in range(0, len(text), 64))

    # Not by one, whose parts alone may have been disturbed.
    assert growth(quadratic, "a", least=5) > MOST_GROWTH


def test_time_is_linear_for_what_each_rule_finds(redactor: Redactor) -> None:
    slow = {
        text: ratio
        for text in vector_texts()[::24]
        if 0 < len(text) < 200 and (ratio := growth(redactor.text, f"{text} ")) >= MOST_GROWTH
    }
    assert slow == {}


def longest_hold(work: Callable[[], object]) -> float:
    """Return the most CPU time of this process between two turns of another thread."""
    longest, stop = 0.0, threading.Event()

    def take_turns() -> None:
        nonlocal longest
        before = time.process_time()
        while not stop.is_set():
            time.sleep(0.001)
            now = time.process_time()
            longest, before = max(longest, now - before), now

    other = threading.Thread(target=take_turns)
    other.start()
    try:
        work()
    finally:
        stop.set()
        other.join()
    return longest


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["a@", "é@é.", "eyJhbGci.", "password="])
def test_the_interpreter_is_shared(redactor: Redactor, unit: str) -> None:
    text = unit * (MIB // len(unit.encode()))
    # The machine may be busy: the least of several measurements counts.
    assert any(longest_hold(lambda: redactor.text(text)) < LONGEST_HOLD_S for _ in range(5))
