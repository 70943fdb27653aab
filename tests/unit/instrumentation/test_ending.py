"""A process ends as it was meant to, whatever its threads are searching meanwhile.

Until Python 3.13 the interpreter ends daemon threads where they stand; within C++ that aborts.
"""

import logging
import signal
import subprocess
import sys
import threading
import weakref
from typing import Any

import pytest

from glasshouse.redaction import matching
from glasshouse.redaction.matching import Watched
from support import native, otlp_sink, shop_process

ENDS = {"return": ("", 0), "exit": ("sys.exit(3)", 3), "raise": ("raise ValueError", 1)}
RUNS = 3
# Hardly ever outside of a search.
SEARCHING = """
import logging, sys, threading
from glasshouse.redaction import matching
from glasshouse.redaction.patterns import compile_pattern
search = compile_pattern("([0-9]+ )*x").search
text = b"4111111111111111 " * (256 << 6)
begun = threading.Event()
def work():
    while True:
        search(text)
        begun.set()
threading.Thread(target=work, daemon=True).start()
begun.wait()
"""
# Hardly ever outside of the native part, which leaves a text beyond ASCII to Python.
ENCODING = """
import sys, threading
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags
from glasshouse.encoding.spans import SpanEncoder
from glasshouse.light import spans
from glasshouse.redaction import Redactor, matching
from glasshouse.redaction.telemetry import TelemetryRedactor
redactor = Redactor.load(key=b"k" * 32)
encoder = SpanEncoder(TelemetryRedactor(redactor, lambda _: None))
assert encoder._native is not None
tracer = TracerProvider().get_tracer("test", "1")
context = SpanContext(1, 1, False, TraceFlags(1))
span = spans.made(tracer, "GET", context, None, SpanKind.INTERNAL, None, None, None)
span._start_time, span._end_time = 1, 2
begun = threading.Event()
def work():
    number = 0
    while True:
        number += 1
        span._attributes._dict = {"note": f"\u00e9 {number} " + "4111 1111 " * 2000}
        assert encoder._native(span)
        begun.set()
threading.Thread(target=work, daemon=True).start()
begun.wait()
"""
# The application's own thread logs, a service's threads send, and a loop's console thread writes.
LOGGING = """
import asyncio, logging, sys, threading, time
log = logging.getLogger("numbers")
text = " ".join(str(4111111111111111 + n) for n in range((256 << 10) // 17))
begun = threading.Event()
def work():
    while True:
        log.warning("%s", text)
        begun.set()
async def main():
    for _ in range(5):
        log.warning("%s", text)
        await asyncio.sleep(0)
threading.Thread(target=work, daemon=True).start()
begun.wait()
asyncio.run(main())
"""
# A child that is forked has an end of its own.
IN_A_CHILD = """
import os, sys
child = os.fork()
if child:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) % 256)
"""
# The end takes no notice of searches.
UNAWARE = "import atexit; atexit.unregister(matching._at_exit)\n"


def run(source: str, *command: str, **environ: str) -> int:
    process = subprocess.run(
        [*command, sys.executable, "-c", source],
        env=shop_process.environment(**environ) if environ else None,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=240,
        check=False,
    )
    return process.returncode


@pytest.mark.parametrize("end", ENDS)
def test_no_search_spoils_the_end(end: str) -> None:
    statement, code = ENDS[end]
    assert [run(SEARCHING + statement) for _ in range(RUNS)] == [code] * RUNS


def test_no_search_spoils_the_end_of_a_child() -> None:
    source = f"import glasshouse.redaction.matching\n{IN_A_CHILD}{SEARCHING}sys.exit(3)"
    assert [run(source) for _ in range(RUNS)] == [3] * RUNS


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="threads are stopped, not ended")
def test_without_the_wait_it_does() -> None:
    assert -signal.SIGABRT in {run(SEARCHING + UNAWARE) for _ in range(10)}


@pytest.mark.slow
@pytest.mark.parametrize("end", ENDS)
def test_no_span_spoils_the_end(end: str) -> None:
    statement, code = ENDS[end]
    source = native.loading() + ENCODING + statement
    assert [run(source) for _ in range(RUNS)] == [code] * RUNS


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info >= (3, 14), reason="threads are stopped, not ended")
def test_without_the_wait_a_span_does() -> None:
    source = native.loading() + ENCODING + UNAWARE
    assert -signal.SIGABRT in {run(source) for _ in range(10)}


@pytest.mark.parametrize("end", ENDS)
def test_no_telemetry_spoils_the_end(end: str) -> None:
    statement, code = ENDS[end]
    with otlp_sink.running() as sink:
        environ = {"endpoint": sink.url, "distro": "glasshouse"}
        assert run(LOGGING + statement, str(shop_process.INSTRUMENT), **environ) == code


class Slow:
    def __init__(self) -> None:
        self.entered = threading.Event()
        self.go_on = threading.Event()

    def Match(self) -> None:
        self.entered.set()
        assert self.go_on.wait(240)


@pytest.fixture
def slow() -> Any:
    slow = Slow()
    thread = threading.Thread(target=Watched(slow).Match)
    thread.start()
    assert slow.entered.wait(60)
    yield slow
    slow.go_on.set()
    matching._alone.clear()
    thread.join()


def test_the_end_waits_for_a_search(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "_LONGEST_AT_END_S", 240)
    threading.Timer(0.5, slow.go_on.set).start()
    matching._last_handler.close()
    assert slow.go_on.is_set()


def test_the_end_does_not_wait_indefinitely(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "_LONGEST_AT_END_S", 0.2)
    matching._last_handler.close()
    assert not slow.go_on.is_set()


def test_searches_end_after_the_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    class Last(logging.Handler):
        def close(self) -> None:
            order.append("handler")
            super().close()

    handler = Last()
    handlers: list[Any] = [weakref.ref(handler)]
    monkeypatch.setattr(logging, "_handlerList", handlers)
    monkeypatch.setattr(matching, "_go_alone", lambda _: order.append("searches"))
    matching._at_exit()
    logging.shutdown(handlers)
    assert order == ["handler", "searches"]
