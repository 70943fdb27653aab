"""Another service, which sends numbered items of each signal all the while."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Self

import httpx

from support import otlp

INTERVAL_S = 0.1
GIVE_UP_AFTER_S = 240
# What an exporter sends again.
_RETRYABLE = {408, 429, 502, 503, 504}
CUMULATIVE, DELTA = 2, 1


def counter(
    name: str, total: float, start_ns: int, *, temporality: int = CUMULATIVE
) -> dict[str, Any]:
    """Return one point of a counter; of a delta, what was added since ``start_ns``."""
    point = {
        "startTimeUnixNano": str(start_ns),
        "timeUnixNano": str(time.time_ns()),
        "asDouble": total,
    }
    return {
        "name": name,
        "sum": {"aggregationTemporality": temporality, "isMonotonic": True, "dataPoints": [point]},
    }


def again(send: Callable[[], None]) -> None:
    """Send as an exporter does: again while it is asked to, or nobody listens."""
    end = time.monotonic() + GIVE_UP_AFTER_S
    while True:
        try:
            send()
        except httpx.HTTPStatusError as error:
            if error.response.status_code not in _RETRYABLE or time.monotonic() > end:
                raise
        except httpx.TransportError:
            if time.monotonic() > end:
                raise
        else:
            return
        time.sleep(0.1)


class Neighbour:
    """Sends one log record, span, counter and gauge after the other, while it is entered."""

    def __init__(self, endpoint: str, service: str, headers: Mapping[str, str]) -> None:
        self.service = service
        self._headers = headers
        self.sent = 0
        self._endpoint = endpoint
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._error: Exception | None = None

    def _run(self) -> None:
        start = time.time_ns()
        try:
            with otlp.Sender(self._endpoint, self.service, self._headers) as sender:
                while not self._stop.wait(INTERVAL_S):
                    self._send(sender, self.sent + 1, start)
                    self.sent += 1
        except httpx.HTTPError as error:
            self._error = error

    def _send(self, sender: otlp.Sender, number: int, start: int) -> None:
        record = otlp.log(f"{self.service} {number}", {"number": str(number)})
        span = otlp.span(f"{self.service} {number}", {"number": str(number)})
        metrics = [
            counter("neighbour.requests", number, start),
            otlp.gauge("neighbour.number", number),
        ]
        again(lambda: sender.logs([record]))
        again(lambda: sender.spans([span]))
        again(lambda: sender.metrics(metrics))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(GIVE_UP_AFTER_S * 4)
        assert self._error is None, f"the neighbour was refused: {self._error!r}"
