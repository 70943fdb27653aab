"""What a text costs grows with its length, whatever it is built of."""

import time
from collections.abc import Callable

import pytest

from glasshouse.redaction import Redactor
from glasshouse.redaction.emails import EmailPattern

SHORT_BYTES = 8 << 10
TIMES_LONG = 8
# Linear growth is 1, quadratic growth TIMES_LONG; caches and allocation are between.
MOST_GROWTH = 3.0
SHAPES = {
    "emails": "é a@b.co ",
    "emails of ascii": "a@b.co ",
    "at signs": "é@é.",
    "odd emails": "{x}@",
    "quoted emails": '"a@',
    "escapes": "\\n",
    "backslashes": "\\",
    "utf-8 in escapes": "\\xc3",
    "percent signs": "%",
    "percent of percent": "%25",
    "ampersands": "&amp;",
    "ansi begun": "\\x1b[",
    "full stops": "a。",
    "zero width": "\u200b。",
    "other digits": "٤",
    "encoded": "eyJhIjoxfQAAAAAAAAAAAAAA ",
    "encoded run": "ZXlK",
    "pair brackets": "password=[",
    "pair lists": "password=['x\n",
    "pair literals": 'password="a\n',
    "pair escapes": 'password=["\\"',
    "pair blocks": "password:\n  - a\n",
    "pair people": "password for bob: 1 ",
    "pair delimiters": "password=a,b;c&d[e]",
    "pair templates": "password={{",
    "pair rows": "| password | a\n",
    "pair spoken": "set password to a1 ",
    "pair parentheses": "(password=)))",
    "open tokens": "sk-",
    "token parts": "xoxb-1-",
    "token dots": "dp.pt.",
    "vendor words": "facebook_token=",
    "token ends": "-us1",
    "token leads": "0123456789012345|",
}


def growth(work: Callable[[str], object], text: str, *, least: int = 2) -> float:
    """Return how much more time a text takes than its eighths do, one after the other.

    A busy machine only ever adds time, so the least of several measurements counts. ``least``: how
    many there are in any case.
    """
    part = text[: len(text) // TIMES_LONG]
    parts = whole = float("inf")
    ratio = float("inf")
    for attempt in range(20):
        if attempt >= least and ratio <= MOST_GROWTH:
            break
        # None is a text that was met before: what is remembered costs next to nothing.
        shorter = [f"{attempt}.{number} {part}" for number in range(TIMES_LONG)]
        longer = f"{attempt} {text}"
        before = time.thread_time()
        for one in shorter:
            work(one)
        between = time.thread_time()
        work(longer)
        parts = min(parts, between - before)
        whole = min(whole, time.thread_time() - between)
        ratio = whole / parts
    return ratio


@pytest.mark.parametrize("shape", SHAPES)
def test_growth(redactor: Redactor, shape: str) -> None:
    unit = SHAPES[shape]
    text = unit * (SHORT_BYTES * TIMES_LONG // len(unit.encode()))
    redactor.text(text)  # compiles what this shape wants
    assert growth(redactor.text, text) <= MOST_GROWTH


@pytest.mark.parametrize("unit", ["é a@b.co ", "a@b.co ", "é@é.", "a@a."])
def test_growth_of_the_email_search(unit: str) -> None:
    """By itself, for what surrounds it costs more than a few thousand copies of the text."""
    pattern = EmailPattern(near=False)

    def count(text: str) -> int:
        raw = text.encode()
        reader = pattern.reader(raw)
        found, pos = 0, 0
        while match := reader.search(pos):
            found, pos = found + 1, match.end()
        return found

    text = unit * (SHORT_BYTES * TIMES_LONG * 2 // len(unit.encode()))
    assert growth(count, text) <= MOST_GROWTH


def test_the_measurement_sees_quadratic_growth() -> None:
    def quadratic(text: str) -> int:
        return sum(text.count("b", at) for at in range(0, len(text), 8))

    # Not by two, whose parts alone may have been disturbed.
    assert growth(quadratic, "a" * 32_768, least=5) > MOST_GROWTH
