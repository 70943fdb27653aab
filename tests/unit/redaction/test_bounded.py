"""What a log call costs the thread that makes it is bounded."""

import json
import logging
import time
from typing import Any

import pytest

from glasshouse.logs import JsonFormatter, TextFormatter
from glasshouse.redaction import Redactor
from glasshouse.redaction import redactor as of_redactor
from glasshouse.redaction.bounded import CUT, MARGIN
from glasshouse.redaction.redactor import CALLER_CHARACTERS

CARD = "4111 1111 1111 1111"


@pytest.fixture
def cuts(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    counted: list[None] = []
    monkeypatch.setattr(of_redactor, "count_cut", lambda: counted.append(None))
    return counted


def record(message: str, **fields: Any) -> logging.LogRecord:
    made = logging.makeLogRecord({"msg": message, "levelname": "INFO", "name": "shop"})
    vars(made).update(fields)
    return made


def test_what_is_short_enough_is_whole(redactor: Redactor, cuts: list[None]) -> None:
    text = f"{'é' * (CALLER_CHARACTERS - 100)} {CARD}"
    line = json.loads(JsonFormatter("shop", redactor).format(record(text)))
    assert line["message"] == redactor.text(text)
    assert cuts == []


def test_a_long_record_is_cut_and_counted_once(redactor: Redactor, cuts: list[None]) -> None:
    long = f"{CARD} {'word ' * CALLER_CHARACTERS}{CARD}"
    shown = JsonFormatter("shop", redactor).format(record(long, note=[long, {"a": long}], n=7))
    line = json.loads(shown)
    assert line["message"].startswith("[card:1111] word word")
    assert line["message"].endswith(CUT)
    assert line["note"] == CUT
    assert line["n"] == CUT
    assert len(shown) < CALLER_CHARACTERS + 1000
    assert len(cuts) == 1
    assert TextFormatter(redactor).format(record(long)).endswith(CUT)


@pytest.mark.parametrize("before", range(0, 2 * MARGIN, 97))
def test_nothing_is_shown_of_what_was_cut_in_two(redactor: Redactor, before: int) -> None:
    start = "word " * (CALLER_CHARACTERS // 5)
    text = f"{start[: CALLER_CHARACTERS - before]} {CARD} {start}"
    assert "4111" not in redactor.for_caller().text(text)


def test_json_that_is_too_long_is_left_out(redactor: Redactor, cuts: list[None]) -> None:
    text = json.dumps({"first_name": "Jane", "note": "x" * CALLER_CHARACTERS})
    assert redactor.for_caller().text(text) == CUT
    assert len(cuts) == 1


@pytest.mark.parametrize(
    "value",
    [
        [4111111111111111] * 100_000,
        [b"x" * 1000] * 10_000,
        {f"{n:0>100}": "" for n in range(10_000)},
        {"x" * 1_000_000: "fine"},
        ["4 4 4 4 " * 1000] * 100,
    ],
    ids=["numbers", "bytes", "names", "a name", "texts"],
)
def test_any_value_ends_soon(redactor: Redactor, cuts: list[None], value: Any) -> None:
    started = time.thread_time()
    shown = repr(redactor.for_caller().value(value))
    assert time.thread_time() - started < 5  # the whole of the last takes minutes
    assert CUT in shown
    assert len(cuts) == 1
