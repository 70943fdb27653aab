"""A long console line keeps no event loop waiting, and no line is lost or out of order for it."""

import asyncio
import functools
import io
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from glasshouse import console, shutdown
from glasshouse.console import ConsoleHandler
from glasshouse.costly import is_costly
from glasshouse.formatters import JsonFormatter, Parts, TextFormatter
from glasshouse.redaction import bounded
from support import otlp_sink, shop_process
from support.waiting import until

CARD = "4111 1111 1111 1111"
LONG = f"{CARD} {'ines.faro@example.org ' * 40}"


@pytest.fixture(autouse=True)
def time_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """How much time a line has that cannot be handed over is not asked here."""
    monkeypatch.setattr(bounded, "MOST_S", 1000.0)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    line = JsonFormatter.line

    def noted(self: JsonFormatter, parts: Parts) -> str:
        found.append((parts.message[:4], threading.get_ident()))
        return line(self, parts)

    monkeypatch.setattr(JsonFormatter, "line", noted)
    monkeypatch.setattr(shutdown, "is_installed", lambda: True)
    return found


@pytest.fixture
def handler() -> ConsoleHandler:
    handler = ConsoleHandler(io.StringIO())
    handler.setFormatter(JsonFormatter("api"))
    return handler


@pytest.fixture
def logger(handler: ConsoleHandler) -> Iterator[logging.Logger]:
    logger = logging.getLogger("waiting")
    logger.propagate = False
    logger.addHandler(handler)
    logger.setLevel("INFO")
    yield logger
    logger.removeHandler(handler)


def lines(handler: ConsoleHandler) -> list[dict[str, Any]]:
    return [json.loads(line) for line in handler.stream.getvalue().splitlines()]


def in_loop(*calls: Any) -> None:
    async def main() -> None:
        for call in calls:
            call()

    asyncio.run(main())


def test_a_loop_leaves_a_costly_line_to_another_thread(
    logger: logging.Logger, handler: ConsoleHandler, made: list[tuple[str, int]]
) -> None:
    here = threading.get_ident()
    in_loop(lambda: logger.info("Paid"))
    assert made == [("Paid", here)]
    in_loop(lambda: logger.info(LONG))
    until(lambda: (len(lines(handler)) == 2 or None, lines(handler)), what="both lines")
    assert made[1][0] == CARD[:4]
    assert made[1][1] != here
    logger.info(LONG)
    assert made[-1] == (CARD[:4], here)
    first, second, third = lines(handler)
    assert first["message"] == "Paid"
    assert second["message"] == third["message"]
    assert second["message"].startswith("[card:1111] [email:")


def test_lines_are_in_the_order_of_their_records(
    logger: logging.Logger, handler: ConsoleHandler, made: list[tuple[str, int]]
) -> None:
    numbers = [1, [2]]

    def log() -> None:
        for number in range(20):
            text = LONG if number % 5 == 0 else "short"
            logger.info("%d %s", number, text, extra={"n": numbers, "o": object, "s": {1}})
        logger.info(LONG, extra={"n": numbers})
        numbers.append(3)

    in_loop(log)
    other = threading.Thread(target=lambda: logger.info("last"))
    other.start()
    other.join()
    handler.flush()
    found = lines(handler)
    assert [line["message"].split()[0] for line in found[:20]] == [str(n) for n in range(20)]
    assert found[-1]["message"] == "last"
    assert [line["n"] for line in found[:-1]] == [[1, [2]]] * 21
    assert found[0]["s"] == [1]


def test_a_loop_writes_its_line_while_another_thread_makes_a_long_one(
    logger: logging.Logger,
    handler: ConsoleHandler,
    made: list[tuple[str, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    line = JsonFormatter.line

    def slow(self: JsonFormatter, parts: Parts) -> str:
        if parts.message.startswith("long"):
            begun.set()
            assert go_on.wait(240)
        return line(self, parts)

    monkeypatch.setattr(JsonFormatter, "line", slow)
    other = threading.Thread(target=lambda: logger.info("long"), daemon=True)
    other.start()
    assert begun.wait(60)
    from_loop = threading.Thread(target=in_loop, args=(lambda: logger.info("short"),), daemon=True)
    from_loop.start()
    from_loop.join(60)
    assert not from_loop.is_alive()
    assert [one["message"] for one in lines(handler)] == ["short"]
    go_on.set()
    other.join()
    assert [one["message"] for one in lines(handler)] == ["short", "long"]


def test_what_waits_is_bounded(
    logger: logging.Logger,
    handler: ConsoleHandler,
    made: list[tuple[str, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(console, "MOST_WAITING", 3 * len(LONG))
    monkeypatch.setattr(handler, "_is_running", lambda: True)
    in_loop(*[lambda: logger.info(LONG)] * 3)
    assert lines(handler) == []
    in_loop(lambda: logger.info(LONG))
    assert len(lines(handler)) == 4


def test_what_waits_is_written_at_the_end(
    logger: logging.Logger,
    handler: ConsoleHandler,
    made: list[tuple[str, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(handler, "_is_running", lambda: True)
    in_loop(lambda: logger.info(LONG))
    assert lines(handler) == []
    console.flush_at_end()
    assert len(lines(handler)) == 1


def test_a_closed_stream_at_the_end_is_no_failure_and_costs_no_other_a_line(
    logger: logging.Logger,
    handler: ConsoleHandler,
    made: list[tuple[str, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failed: list[object] = []
    monkeypatch.setattr(threading, "excepthook", failed.append)
    closed = [ConsoleHandler(io.TextIOWrapper(io.BytesIO())) for _ in range(8)]
    for other in closed:
        other.stream.close()
    monkeypatch.setattr(console, "_handlers", [*closed[:4], handler, *closed[4:]])
    monkeypatch.setattr(handler, "_is_running", lambda: True)
    in_loop(lambda: logger.info(LONG))
    assert lines(handler) == []
    # As at the end of a process, in a thread of its own.
    shutdown.BoundedShutdown([console.flush_at_end], [], deadline_s=60).run()
    assert len(lines(handler)) == 1
    assert failed == []


def test_a_line_that_cannot_be_made_becomes_a_marker(
    handler: ConsoleHandler, made: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    line = JsonFormatter.line

    def failing(self: JsonFormatter, parts: Parts) -> str:
        if parts.message.startswith("x"):
            raise OSError
        return line(self, parts)

    monkeypatch.setattr(JsonFormatter, "line", failing)
    monkeypatch.setattr(handler, "_is_running", lambda: True)
    values = {"name": "shop", "levelno": 20, "levelname": "INFO"}
    records = [
        logging.makeLogRecord({**values, "msg": message, "args": args})
        for message, args in ((f"{LONG}", ()), ("x" * 5_000, ()), ("%d", ("x",)), ("y", ()))
    ]
    in_loop(*(functools.partial(handler.handle, record) for record in records))
    handler.flush()
    found = [(line["message"][:11], line.get("error.type")) for line in lines(handler)]
    assert sorted(found, key=str) == [
        ("[card:1111]", None),
        ("[unloggable", "OSError"),
        ("[unloggable", "TypeError"),
        ("y", None),
    ]


def test_others_formatters_are_asked_on_the_calling_thread(
    logger: logging.Logger, handler: ConsoleHandler, made: list[tuple[str, int]]
) -> None:
    handler.setFormatter(TextFormatter())
    # Costly by its length, and nothing that the time on a loop would be too short for.
    in_loop(lambda: logger.info("%s %s", CARD, "word " * 2000))
    assert handler.stream.getvalue().count("[card:1111]") == 1
    assert made == []


@pytest.mark.parametrize(
    ("text", "is_so"),
    [
        ("a sentence of some length, as services log it " * 20, False),
        ("x" * 5_000, True),
        ("a@b.co " * 50, True),
        ("4111 1111 " * 60, True),
        ("é" * 600, True),
    ],
)
def test_what_is_costly(text: str, is_so: bool) -> None:
    assert is_costly(Parts({}, text, {}, None)) is is_so
    assert is_costly(Parts({}, "", {"note": [{"of": text}]}, None)) is is_so
    assert is_costly(Parts({}, "", {}, text)) is is_so


SERVICE = f"""
import asyncio, logging, os, sys
log = logging.getLogger("shop")
async def main():
    for number in range(3):
        log.warning("%d %s", number, {LONG!r})
    if sys.argv[1] == "fork":
        child = os.fork()
        if child == 0:
            log.warning("of the child")
            os._exit(0)
        os.waitpid(child, 0)
    if sys.argv[1] == "exit":
        os._exit(3)
    if sys.argv[1] == "signal":
        os.kill(os.getpid(), 15)
asyncio.run(main())
"""


@pytest.mark.parametrize(("end", "code"), [("fork", 0), ("exit", 3), ("signal", -15)])
def test_no_line_is_lost_or_written_twice_however_the_process_ends(end: str, code: int) -> None:
    with otlp_sink.running() as sink:
        ran = subprocess.run(
            [str(shop_process.INSTRUMENT), sys.executable, "-c", SERVICE, end],
            env={**shop_process.environment(sink.url), "PYTHONWARNINGS": "ignore"},
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert ran.returncode == code
    found = [json.loads(line)["message"] for line in ran.stdout.splitlines()]
    for number in range(3):
        assert sum(line.startswith(f"{number} [card:1111]") for line in found) == 1
    assert found.count("of the child") == (end == "fork")
