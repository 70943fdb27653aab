"""A service with the distro that emits logs, spans and events with known ids until it is ended.

opentelemetry-instrument python emitter.py FILE RUN SIGNAL...

Each id is a line of FILE before it is emitted (signal, id, cents, moment by the monotonic clock)
and one after it (id, milliseconds that the call took): it may be ended between the two.
"""

import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# Of each signal, a second. In 60 s that is about 2 MB of the 16 MiB that the distro keeps.
RATE = 20


@dataclass(frozen=True, kw_only=True)
class Emitted:
    """One record. at: before the call, by the monotonic clock. call_ms: None when it has no end."""

    signal: str
    id: str
    cents: int
    at: float
    call_ms: float | None


def read(text: str) -> list[Emitted]:
    """Return what stands in a file of the process; nothing of a line that is not yet whole."""
    lines = [line.split() for line in text.splitlines(keepends=True) if line.endswith("\n")]
    took = {one[0]: float(one[1]) for one in lines if len(one) == 2}
    return [
        Emitted(
            signal=one[0], id=one[1], cents=int(one[2]), at=float(one[3]), call_ms=took.get(one[1])
        )
        for one in lines
        if len(one) == 4
    ]


def main(path: str, run: str, *signals: str) -> None:
    # Not where tests read the file.
    from opentelemetry import trace

    from glasshouse import emit_event

    logger, tracer = logging.getLogger("emitter"), trace.get_tracer("emitter")

    def log(id: str, _: int) -> None:
        logger.warning("chaos %s", id, extra={"chaos_id": id})

    def span(id: str, _: int) -> None:
        with tracer.start_as_current_span("chaos", attributes={"chaos_id": id}):
            pass

    def event(id: str, cents: int) -> None:
        emit_event(
            "payment.created",
            "Payment created",
            transaction_id=id,
            currency="XTS",
            amount=cents / 100,
        )

    kinds: dict[str, Callable[[str, int], None]] = {"logs": log, "traces": span, "events": event}
    with Path(path).open("w", encoding="utf-8", buffering=1) as file:
        number = 0
        while True:
            for signal in signals:
                id, cents = f"{run}-{signal[0]}d-{number}", 1 + number % 99_999
                file.write(f"{signal} {id} {cents} {time.monotonic()}\n")
                begin = time.perf_counter()
                kinds[signal](id, cents)
                file.write(f"{id} {(time.perf_counter() - begin) * 1000:.3f}\n")
            number += 1
            time.sleep(1 / RATE)


if __name__ == "__main__":
    main(*sys.argv[1:])
