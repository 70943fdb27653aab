"""Ids and trace of a request, in everything that runs it on another thread."""

import asyncio
import concurrent.futures
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from multiprocessing.pool import ThreadPool
from typing import Any

import pytest
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from glasshouse import request_id
from glasshouse.context import Ids, with_ids
from glasshouse.instrumentors.threads import ThreadsInstrumentor

TRACER = TracerProvider().get_tracer("test")
Seen = list[tuple[str | None, int]]
WAIT_S = 60


def note(seen: Seen) -> None:
    seen.append((request_id(), trace.get_current_span().get_span_context().trace_id))


class Own(threading.Thread):
    """A thread with a ``run`` of its own."""

    def __init__(self, seen: Seen) -> None:
        super().__init__()
        self._seen = seen

    def run(self) -> None:
        note(self._seen)


class Calling(Own):
    """One that calls the base class, too."""

    def run(self) -> None:
        super().run()


class Later(threading.Timer):
    """A timer with a ``run`` of its own."""

    def run(self) -> None:
        self.function(*self.args, **self.kwargs)


def started(thread: threading.Thread) -> None:
    thread.start()
    thread.join(WAIT_S)


def replaced(seen: Seen) -> None:
    thread = threading.Thread()
    thread.run = lambda: note(seen)
    started(thread)


@pytest.fixture(autouse=True)
def pools() -> Iterator[None]:
    """Pools that are made before any request, as an application's are."""
    global EXECUTOR, POOL
    with concurrent.futures.ThreadPoolExecutor(1) as EXECUTOR, ThreadPool(1) as POOL:
        yield


EXECUTOR: concurrent.futures.ThreadPoolExecutor
POOL: ThreadPool


def in_loop(seen: Seen) -> None:
    async def run() -> None:
        await asyncio.get_running_loop().run_in_executor(None, note, seen)

    asyncio.run(run())


def callback(seen: Seen) -> None:
    release = threading.Event()
    # Somebody else's work keeps the thread, so that the callback runs on it.
    future = EXECUTOR.submit(release.wait, WAIT_S)
    done = threading.Event()

    def after(_: Any) -> None:
        note(seen)
        done.set()

    future.add_done_callback(after)
    release.set()
    assert done.wait(WAIT_S)


def pool_callback(seen: Seen) -> None:
    done = threading.Event()

    def after(_: Any) -> None:
        note(seen)
        done.set()

    POOL.apply_async(int, callback=after)
    assert done.wait(WAIT_S)


WAYS: dict[str, Callable[[Seen], Any]] = {
    "Thread": lambda seen: started(threading.Thread(target=note, args=(seen,))),
    "Thread.run of a subclass": lambda seen: started(Own(seen)),
    "Thread.run of a subclass of that": lambda seen: started(Calling(seen)),
    "Thread.run replaced": replaced,
    "Timer": lambda seen: started(threading.Timer(0, note, (seen,))),
    "Timer.run of a subclass": lambda seen: started(Later(0, note, (seen,))),
    "ThreadPoolExecutor.submit": lambda seen: EXECUTOR.submit(note, seen).result(WAIT_S),
    "ThreadPoolExecutor.map": lambda seen: list(EXECUTOR.map(note, [seen])),
    "Future.add_done_callback": callback,
    "asyncio.to_thread": lambda seen: asyncio.run(asyncio.to_thread(note, seen)),
    "loop.run_in_executor": in_loop,
    "ThreadPool.apply": lambda seen: POOL.apply(note, (seen,)),
    "ThreadPool.apply_async": lambda seen: POOL.apply_async(note, (seen,)).get(WAIT_S),
    "ThreadPool.apply_async by name": lambda seen: POOL.apply_async(func=note, args=(seen,)).get(
        WAIT_S
    ),
    "ThreadPool.apply_async callback": pool_callback,
    "ThreadPool.map": lambda seen: POOL.map(note, [seen]),
    "ThreadPool.map_async": lambda seen: POOL.map_async(note, [seen]).get(WAIT_S),
    "ThreadPool.starmap": lambda seen: POOL.starmap(note, [(seen,)]),
    "ThreadPool.starmap_async": lambda seen: POOL.starmap_async(note, [(seen,)]).get(WAIT_S),
    "ThreadPool.imap": lambda seen: list(POOL.imap(note, [seen])),
    "ThreadPool.imap_unordered": lambda seen: list(POOL.imap_unordered(note, [seen])),
}


def in_request(way: Callable[[Seen], Any], name: str) -> tuple[Seen, int]:
    seen: Seen = []
    token = otel_context.attach(with_ids(Ids(name, name)))
    try:
        with TRACER.start_as_current_span("GET /") as span:
            way(seen)
            return seen, span.get_span_context().trace_id
    finally:
        otel_context.detach(token)


@pytest.fixture
def instrumented() -> Iterator[None]:
    ThreadsInstrumentor().instrument()
    yield
    ThreadsInstrumentor().uninstrument()


@pytest.mark.parametrize("way", WAYS)
def test_the_context_comes_along(instrumented: None, way: str) -> None:
    # Twice: a pool's thread keeps nothing of the request that it served before.
    for name in ("request-1", "request-2"):
        seen, trace_id = in_request(WAYS[way], name)
        assert seen == [(name, trace_id)]


@pytest.mark.parametrize("way", WAYS)
def test_outside_of_a_request_there_is_none(instrumented: None, way: str) -> None:
    in_request(WAYS[way], "request-1")
    seen: Seen = []
    WAYS[way](seen)
    assert seen == [(None, 0)]


def test_without_instrumentation_it_stays_behind() -> None:
    """The control: asyncio.to_thread carries it by itself, all others lose it."""
    carried = {way for way, run in WAYS.items() if in_request(run, "request-1")[0][0][0]}
    assert carried == {"asyncio.to_thread"}


def test_what_a_thread_raises_is_raised_as_before(instrumented: None) -> None:
    with pytest.raises(ZeroDivisionError):
        POOL.apply(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        EXECUTOR.submit(lambda: 1 // 0).result(WAIT_S)


def test_only_functions_are_touched(instrumented: None) -> None:
    class Odd:
        """An argument that can be called, too."""

        def __call__(self) -> None:
            raise AssertionError

        def __iter__(self) -> Iterator[int]:
            return iter((1, 2))

    odd = Odd()
    in_request(lambda _: None, "request-1")
    token = otel_context.attach(with_ids(Ids("request-1", "request-1")))
    try:
        assert EXECUTOR.submit(lambda given: given, odd).result(WAIT_S) is odd
        assert POOL.map(lambda each: each, odd) == [1, 2]
        assert POOL.apply_async(lambda given: given, (odd,)).get(WAIT_S) is odd
    finally:
        otel_context.detach(token)


def test_a_thread_is_as_it_was_after_its_run(instrumented: None) -> None:
    token = otel_context.attach(with_ids(Ids("request-1", "request-1")))
    try:
        thread = threading.Thread(target=lambda: None)
        started(thread)
        assert "run" not in vars(thread)
        with pytest.raises(RuntimeError, match="threads can only be started once"):
            thread.start()
        assert "run" not in vars(thread)
    finally:
        otel_context.detach(token)


def test_a_thread_of_an_executor_keeps_nothing_of_the_call_that_started_it(
    instrumented: None,
) -> None:
    seen: Seen = []
    with concurrent.futures.ThreadPoolExecutor(1, initializer=note, initargs=(seen,)) as executor:
        token = otel_context.attach(with_ids(Ids("request-1", "request-1")))
        try:
            executor.submit(note, seen).result(WAIT_S)
        finally:
            otel_context.detach(token)
    assert [request for request, _ in seen] == [None, "request-1"]


LATE = """
import sys, threading
from opentelemetry import context
from glasshouse.instrumentors.threads import ThreadsInstrumentor

assert "multiprocessing.pool" not in sys.modules
one = ThreadsInstrumentor()
for _ in range(int(sys.argv[1])):
    one.instrument()
    one.uninstrument()
if sys.argv[2] == "on":
    one.instrument()
assert "multiprocessing.pool" not in sys.modules
from multiprocessing.pool import ThreadPool

with ThreadPool(1) as pool:
    context.attach(context.set_value("seen", "yes"))
    print(pool.apply(context.get_value, ("seen",)))
    one.uninstrument() if sys.argv[2] == "on" else one.instrument()
    print(pool.apply(context.get_value, ("seen",)))
"""


@pytest.mark.parametrize("times", [0, 2])
@pytest.mark.parametrize(("state", "wanted"), [("on", ["yes", "None"]), ("off", ["None", "yes"])])
def test_a_pool_that_is_imported_later_carries_it_too(
    times: int, state: str, wanted: list[str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LATE, str(times), state],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    assert done.stdout.split() == wanted
