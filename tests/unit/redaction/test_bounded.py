"""What a log call costs the thread that makes it is bounded."""

import asyncio
import json
import logging
import time
from typing import Any

import pytest

from glasshouse import event_loops
from glasshouse.formatters import JsonFormatter, TextFormatter
from glasshouse.redaction import Redactor, bounded, budget, cards
from glasshouse.redaction import redactor as of_redactor
from glasshouse.redaction.bounded import CUT, MARGIN
from glasshouse.redaction.redactor import CALLER_CHARACTERS

CARD = "4111 1111 1111 1111"


@pytest.fixture
def cuts(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    counted: list[None] = []
    monkeypatch.setattr(of_redactor, "count_cut", lambda: counted.append(None))
    return counted


@pytest.fixture(autouse=True)
def on_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "is_on_loop", lambda: True)


def record(message: str, **fields: Any) -> logging.LogRecord:
    made = logging.makeLogRecord({"msg": message, "levelname": "INFO", "name": "shop"})
    vars(made).update(fields)
    return made


def test_what_is_short_enough_is_whole(
    redactor: Redactor, cuts: list[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded, "MOST_S", -1.0)  # as on a slow machine
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


# Each costs much for its length: hits, candidates that are none, values in values, escapes.
HOSTILE = {
    "emails": "é a@b.co ",
    "emails of ascii": "a@b.co ",
    "at signs": "é@é.",
    "digits": "4 ",
    "parts of cards": "4111 1111 ",
    "cards": "4111 1111 1111 1111 ",
    "phones": "+49 30 1234567 ",
    "addresses": "203.0.113.7 ",
    "pairs": "password=hunter2x ",
    "pair literals": 'password="a\n',
    "tokens": "ghp_0123456789abcdefghijklmnopqrstuvwxyzAB ",
    "encoded": "eyJhIjoxfQAAAAAAAAAAAAAA ",
    "escapes": "\\u00e9",
    "ibans": "DE89370400440532013000 ",
    "uuids": "123e4567-e89b-12d3-a456-426614174000 ",
    "json": '{"a": [1, {"b": "c@d.ee"}]}, ',
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_text_is_given_up_after_so_many_candidates(
    redactor: Redactor, cuts: list[None], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    text = f"[{HOSTILE[kind] * (CALLER_CHARACTERS // len(HOSTILE[kind]) - 1)}0]"
    asked: list[int] = []

    def late(_: budget.Budget, candidates: int) -> None:
        asked.append(candidates)
        if sum(asked) > budget.FREE:
            raise budget.OutOfTimeError

    monkeypatch.setattr(budget.Budget, "asked", late)
    assert redactor.for_caller().text(text).endswith(CUT)
    # It was asked for soon, and not again once it had said no to the text and to its beginning.
    assert sum(asked) <= budget.FREE + 2 * budget.VALUE
    assert len(cuts) == 1


def test_a_record_that_is_out_of_time_has_its_beginning(
    redactor: Redactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f"{'word ' * MARGIN}{'a@b.co ' * 1000}"
    monkeypatch.setattr(bounded, "MOST_S", 0.0)
    monkeypatch.setattr(bounded, "MOST_AGAIN_S", 1000.0)
    shown = redactor.for_caller().text(text)
    assert shown.startswith("word word")
    assert shown.endswith(CUT)


def test_an_ordinary_record_is_whole_however_slow_the_machine(
    redactor: Redactor, cuts: list[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded, "MOST_S", -1.0)
    text = f"order 17 of {CARD} by jane@example.com, password=hunter2x"
    fields = {"a": text, "b": ["x", "y@example.com", 7], "c": ""}
    assert redactor.for_caller().value(fields) == redactor.value(fields)
    assert cuts == []


FRAMES = {
    "a framework's": (
        40,
        '  File "/srv/shop/.venv/lib/python3.13/site-packages/starlette/middleware/m_{0}.py", '
        "line 1{0}, in run_asgi\n    result = await app(  # type: ignore[func-returns-value]\n"
        "             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n",
    ),
    # Their words may name what stands near.
    "a shop's": (
        30,
        '  File "/srv/shop/accounts/card_payments/mail_phone_{0}.py", line 1{0}, in pay_card\n'
        "    result = await account.card(phone, 12345678{0})\n"
        "                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n",
    ),
    "the standard library's": (
        60,
        '  File "/usr/lib/python3.13/asyncio/runners_{0}.py", line 1{0}, in run\n'
        "    return self._loop.run_until_complete(task)\n"
        "           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n",
    ),
}


@pytest.mark.parametrize("kind", FRAMES)
def test_a_traceback_is_whole_however_slow_the_machine(
    redactor: Redactor, cuts: list[None], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(bounded, "MOST_S", -1.0)
    count, frame = FRAMES[kind]
    frames = "".join(frame.format(number) for number in range(count))
    text = f"Traceback (most recent call last):\n{frames}ValueError: no mail to jane@example.com"
    assert redactor.for_caller().text(text) == redactor.text(text)
    assert cuts == []


def test_what_takes_longer_counts_for_more(
    redactor: Redactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded, "MOST_S", -1.0)
    monkeypatch.setattr(bounded, "MOST_AGAIN_S", -1.0)
    checked: list[bytes] = []
    monkeypatch.setattr(cards, "luhn", lambda digits: bool(checked.append(digits)))
    assert redactor.for_caller().text("4111 1111 " * 2000).endswith(CUT)
    # A third of the candidates, and not all of them.
    assert 50 < len(checked) < 0.4 * budget.FREE


def test_the_bound_is_no_failure(redactor: Redactor) -> None:
    """Nothing becomes ``[unchecked]`` for it, and the next record has a budget of its own."""
    shown = redactor.for_caller().text("4 " * (CALLER_CHARACTERS // 2))
    assert shown.endswith(CUT)
    assert "[unchecked]" not in shown
    assert redactor.for_caller().text(CARD) == "[card:1111]"


def test_only_an_event_loop_has_so_little_time(
    redactor: Redactor, cuts: list[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded, "is_on_loop", event_loops.is_on_loop)
    monkeypatch.setattr(bounded, "MOST_S", -1.0)
    text = f"{'a@b.co ' * 1000}{CARD}"

    async def on_loop() -> str:
        inside = await asyncio.to_thread(lambda: redactor.for_caller().text(text))
        assert inside == redactor.text(text)
        return redactor.for_caller().text(f"{text}.")  # another: that one is known by now

    assert redactor.for_caller().text(text) == redactor.text(text)
    assert cuts == []
    assert asyncio.run(on_loop()).endswith(CUT)
    assert cuts == [None]
