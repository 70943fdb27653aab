"""Whether an event loop runs on some thread of this process."""

import asyncio
import gc
import importlib.util
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from glasshouse import event_loops
from glasshouse.redaction import Redactor, budget

# What the class of a foreign loop says stays said: each case has a process of its own.
PROGRAM = """
import asyncio, sys, threading
from glasshouse.event_loops import is_any_running

{before}
before = is_any_running()
ready, end = threading.Event(), threading.Event()

def run():
    loop = {make}
    loop.call_soon(ready.set)
    loop.run_in_executor(None, end.wait).add_done_callback(lambda _: loop.stop())
    loop.run_forever()
    loop.close()

thread = threading.Thread(target=run)
thread.start()
ready.wait()
print(before, is_any_running.__globals__["_is_found"](sys.modules["asyncio.base_events"]))
end.set()
thread.join()
"""


@pytest.fixture(autouse=True)
def anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_loops, "_HOLDS_S", 0.0)
    monkeypatch.setattr(event_loops._Anywhere, "until", 0.0)
    # Whatever another test has imported.
    monkeypatch.setattr(event_loops, "_is_foreign", lambda *_: False)


@contextmanager
def running(
    start: Callable[[asyncio.AbstractEventLoop], None], make: Any = asyncio
) -> Iterator[asyncio.AbstractEventLoop]:
    ready, loop = threading.Event(), make.new_event_loop()
    loop.call_soon(ready.set)
    thread = threading.Thread(target=start, args=(loop,))
    thread.start()
    ready.wait()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def ended(loop: asyncio.AbstractEventLoop) -> None:
    async def wait() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="stopped before"):
        loop.run_until_complete(wait())


@pytest.mark.parametrize(
    "start", [lambda loop: loop.run_forever(), ended], ids=["callbacks alone", "a task"]
)
def test_a_loop_on_another_thread_is_found(
    start: Callable[[asyncio.AbstractEventLoop], None],
) -> None:
    assert not event_loops.is_any_running()
    with running(start):
        assert event_loops.is_any_running()
        assert not event_loops.is_on_loop()
    assert not event_loops.is_any_running()


def test_an_answer_holds_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_loops, "_HOLDS_S", 3600.0)
    assert not event_loops.is_any_running()
    with running(lambda loop: loop.run_forever()):
        assert not event_loops.is_any_running()
        monkeypatch.setattr(event_loops._Anywhere, "until", time.monotonic())
        assert event_loops.is_any_running()


def answers(before: str, make: str) -> list[str]:
    program = PROGRAM.format(before=before, make=make)
    made = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=300
    )
    return made.stdout.split()


OWN = """
class Own(asyncio.SelectorEventLoop):
    def run_forever(self):
        super().run_forever()
"""


@pytest.mark.parametrize(
    ("before", "make", "expected"),
    [
        ("", "asyncio.new_event_loop()", ["False", "True"]),
        ("", "__import__('uvloop').new_event_loop()", ["False", "True"]),
        # It may run: nobody can see it.
        ("import uvloop", "uvloop.new_event_loop()", ["True", "True"]),
        (OWN, "Own()", ["True", "True"]),
    ],
    ids=["asyncio", "uvloop", "uvloop imported", "a class of one's own"],
)
def test_loops_of_each_make_are_found(before: str, make: str, expected: list[str]) -> None:
    if "uvloop" in before + make:
        pytest.importorskip("uvloop")
    assert answers(before, make) == expected


def test_a_process_without_asyncio_has_none() -> None:
    program = (
        "import sys; from glasshouse.event_loops import is_any_running;"
        "print(is_any_running(), 'asyncio' in sys.modules)"
    )
    made = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=300
    )
    assert made.stdout.split() == ["False", "False"]


def test_a_thread_pauses_for_a_loop_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    budget.hand_over()
    assert pauses == []
    with running(lambda loop: loop.run_forever()):
        budget.hand_over()
    assert pauses == [budget.PAUSE_S]

    async def here() -> None:
        budget.hand_over()

    asyncio.run(here())
    assert pauses == [budget.PAUSE_S]


def seen(loop: asyncio.AbstractEventLoop) -> None:
    """Let it be seen, as by the first record that it logs."""
    asked = threading.Event()
    loop.call_soon_threadsafe(lambda: (event_loops.is_on_loop(), asked.set()))
    assert asked.wait(60)


def makes() -> list[str]:
    return ["asyncio", *(["uvloop"] if importlib.util.find_spec("uvloop") else [])]


@pytest.mark.parametrize("make", makes())
def test_a_loop_that_was_seen_is_waited_for_until_it_had_its_turn(
    monkeypatch: pytest.MonkeyPatch, make: str
) -> None:
    monkeypatch.setattr(event_loops, "_seen", {})
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("it is only paused"))
    monkeypatch.setattr(budget, "is_any_running", lambda: True)  # as where uvloop is imported
    turns: list[int] = []
    with running(lambda loop: loop.run_forever(), importlib.import_module(make)) as loop:
        seen(loop)
        with budget.long():
            for number in range(100):
                loop.call_soon_threadsafe(turns.append, number)
                budget.hand_over()
                assert turns[-1] == number
    # The positive control: it ended, so nobody waits for it.
    assert not event_loops.let_run(60)


def test_a_long_text_waits_for_turns_and_a_short_one_pauses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    redactor = Redactor.load(key=b"k" * 32)
    redactor.prepare()
    monkeypatch.setattr(budget, "is_any_running", lambda: True)
    monkeypatch.setattr(budget, "SLICE_S", 0.0)
    waited: list[float] = []
    paused: list[float] = []
    monkeypatch.setattr(budget, "let_run", lambda most_s: not waited.append(most_s))
    monkeypatch.setattr(time, "sleep", paused.append)
    # As exporters ask, and as the console does for each record.
    for ask, digit in ((lambda: redactor, "1"), (redactor.for_caller, "2")):
        ask().text(f"4111 111{digit} " * (budget.LONG // 5))
        assert (set(waited), paused) == ({budget.TURN_S}, [])
        waited.clear()
        ask().text(f"4111 119{digit} " * (budget.LONG // 20))
        assert waited == []
        assert set(paused) == {budget.PAUSE_S}
        paused.clear()


def test_what_a_request_s_thread_did_before_a_record_does_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    redactor = Redactor.load(key=b"k" * 32)
    redactor.prepare()
    handed: list[None] = []
    used = [0.0]
    monkeypatch.setattr(budget, "hand_over", lambda: handed.append(None))
    monkeypatch.setattr(time, "thread_time", lambda: used[0])
    for number in range(100):
        used[0] += 10.0
        redactor.for_caller().text(f"paid by jane.doe{number}@example.com with 4111 1111 1111 1111")
    assert handed == []
    # The control: on an exporter's thread all of its work counts.
    for number in range(100):
        used[0] += 10.0
        redactor.text(f"paid by john.doe{number}@example.com with 4111 1111 1111 1111")
    assert len(handed) > 20


def test_a_loop_that_is_busy_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_loops, "_seen", {})
    go_on, begun = threading.Event(), threading.Event()
    with running(lambda loop: loop.run_forever()) as loop:
        seen(loop)
        loop.call_soon_threadsafe(lambda: (begun.set(), go_on.wait(240)))
        assert begun.wait(60)
        assert event_loops.let_run(0.01)
        assert not event_loops.let_run(240)
        go_on.set()
        seen(loop)
        assert event_loops.let_run(240)


@pytest.mark.parametrize("of", ["is_running", "call_soon_threadsafe"])
def test_a_loop_that_raises_changes_no_text(monkeypatch: pytest.MonkeyPatch, of: str) -> None:
    class Odd:
        def is_running(self) -> bool:
            return True

    def fail(*_: object) -> None:
        raise ValueError("odd")

    monkeypatch.setattr(Odd, of, fail, raising=False)
    odd = Odd()
    monkeypatch.setattr(event_loops, "_seen", {1: event_loops._Seen(odd)})
    assert not event_loops.let_run(1)


def test_loops_that_are_gone_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_loops, "_seen", {})

    async def noted() -> int:
        assert event_loops.is_on_loop()
        return len(event_loops._seen)

    assert asyncio.run(noted()) == 1
    gc.collect()
    assert event_loops._seen == {}
    monkeypatch.setattr(event_loops, "_MOST_SEEN", 0)
    assert asyncio.run(noted()) == 0


def test_a_child_waits_for_no_loop_of_its_parent() -> None:
    program = """
import asyncio, os, sys
from glasshouse import event_loops
async def main():
    assert event_loops.is_on_loop() and event_loops._seen
    child = os.fork()
    if not child:
        os._exit(bool(event_loops._seen))
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], check=False, timeout=240)
    assert done.returncode == 0
