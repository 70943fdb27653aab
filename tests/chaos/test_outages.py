"""A component is unavailable for a while, and nothing is lost or doubled."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import httpx
import pytest

from support import backends, otlp
from support.stack import Stack
from support.waiting import until
from support.words import fresh

COUNT = 200
BATCHES = 10


@dataclass(frozen=True, kw_only=True)
class Signal:
    """One signal: how to send item ``number``, and which numbers its backend has."""

    backend: str
    send: Callable[[otlp.Sender, str, list[int]], None]
    stored: Callable[[httpx.Client, str, str], list[str]]


def send_logs(sender: otlp.Sender, word: str, numbers: list[int]) -> None:
    sender.logs(otlp.log(word, {"number": number}) for number in numbers)


def stored_logs(http: httpx.Client, url: str, word: str) -> list[str]:
    lines = backends.loki_lines(http, url, f'{{service_name="chaos"}} |= "{word}"')
    return [line["labels"]["number"] for line in lines]


def send_spans(sender: otlp.Sender, word: str, numbers: list[int]) -> None:
    sender.spans(otlp.span(f"{number}", {"word": word}) for number in numbers)


def stored_spans(http: httpx.Client, url: str, word: str) -> list[str]:
    found = backends.tempo_search(http, url, f'{{span.word="{word}"}}')
    return [span["name"] for trace in found for span in backends.tempo_spans(http, url, trace)]


def send_metrics(sender: otlp.Sender, word: str, numbers: list[int]) -> None:
    sender.metrics(
        otlp.gauge("chaos", number, {"word": word, "number": number}) for number in numbers
    )


def stored_metrics(http: httpx.Client, url: str, word: str) -> list[str]:
    query = f'last_over_time(chaos{{word="{word}"}}[1h])'
    series = backends.prometheus_query(http, url, query)
    return [item["labels"]["number"] for item in series]


SIGNALS = [
    Signal(backend="loki", send=send_logs, stored=stored_logs),
    Signal(backend="tempo", send=send_spans, stored=stored_spans),
    Signal(backend="prometheus", send=send_metrics, stored=stored_metrics),
]
each_signal = pytest.mark.parametrize("signal", SIGNALS, ids=lambda signal: signal.backend)


def send_all(stack: Stack, signal: Signal, word: str) -> None:
    with closing(otlp.Sender(stack.otlp, "chaos", stack.sender)) as sender:
        for batch in range(BATCHES):
            signal.send(sender, word, list(range(batch, COUNT, BATCHES)))


def assert_each_once(http: httpx.Client, stack: Stack, signal: Signal, word: str) -> None:
    def probe() -> tuple[list[str] | None, object]:
        try:
            stored = signal.stored(http, stack.url(signal.backend), word)
        except httpx.HTTPError as error:
            return None, repr(error)
        return (stored if len(stored) >= COUNT else None), f"{len(stored)} of {COUNT}"

    stored = until(probe, what=f"all {COUNT} in {signal.backend}")
    assert sorted(stored, key=int) == [str(number) for number in range(COUNT)]


@each_signal
def test_a_stopped_backend_loses_nothing_and_holds_up_no_other(
    http: httpx.Client, stack: Stack, signal: Signal
) -> None:
    word = fresh("outage")
    stack.docker("stop", signal.backend)
    try:
        send_all(stack, signal, word)
        for other in SIGNALS:
            if other is not signal:
                send_all(stack, other, word)
                assert_each_once(http, stack, other, word)
    finally:
        stack.docker("start", signal.backend)
    stack.wait_ready([signal.backend])
    assert_each_once(http, stack, signal, word)


def test_a_killed_collector_still_delivers_what_it_had_accepted(
    http: httpx.Client, stack: Stack
) -> None:
    word = fresh("killed")
    logs = SIGNALS[0]
    # With Loki away everything accepted is in the queue, on disk or about to be.
    stack.docker("stop", logs.backend)
    try:
        send_all(stack, logs, word)
        stack.docker("kill", "collector")
        stack.docker("start", "collector")
    finally:
        stack.docker("start", logs.backend)
    stack.wait_ready(["collector", logs.backend])
    assert_each_once(http, stack, logs, word)
