"""Writes the heartbeat of this worker."""

import logging
import os
import secrets
import socket
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import psycopg
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.metrics import CallbackOptions, Meter, Observation

from backend.platform.database import Pool
from backend.platform.queries import query

INTERVAL_S: Final = 5.0

_logger = logging.getLogger(__name__)


def worker_name() -> str:
    """Return a name of this process that no other has, before or after it."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


class Heartbeat:
    """The row of one worker, and ``worker.heartbeat_age`` as it says itself.

    Both come from the event loop: a worker that hangs does not beat. What it says itself needs
    neither the database nor the API, so that neither passes for a dead worker.
    """

    def __init__(
        self,
        pool: Pool,
        worker: str,
        clock: Callable[[], float] = time.monotonic,
        alive_file: Path | None = None,
    ) -> None:
        """alive_file: written at each pulse, for a health check from outside."""
        self._pool = pool
        self._worker = worker
        self._clock = clock
        self._pulse_at = clock()
        self._alive_file = alive_file

    def register(self, meter: Meter) -> None:
        """Create the gauge."""
        meter.create_observable_gauge(
            "worker.heartbeat_age",
            [self._observe_age],
            unit="s",
            description="Time since the freshest heartbeat of any worker",
        )

    async def pulse(self) -> None:
        """Note that the event loop runs. Apart from `beat`, which waits for the database."""
        self._pulse_at = self._clock()
        if self._alive_file is not None:
            self._alive_file.touch()

    def _observe_age(self, _: CallbackOptions) -> Iterable[Observation]:
        return [Observation(self._clock() - self._pulse_at)]

    async def beat(self) -> None:
        """Write the time. An unavailable database is logged, not raised."""
        await self._execute("beat")
        await self._execute("forget_workers")

    async def stop(self) -> None:
        """Say that the worker ends as asked."""
        await self._execute("stop_beating")

    async def _execute(self, name: str) -> None:
        try:
            with suppress_instrumentation():
                async with self._pool.connection() as connection:
                    await connection.execute(query(name), {"worker": self._worker})
        except psycopg.Error as error:
            _logger.warning(
                "The heartbeat could not be written",
                extra={"error.type": type(error).__qualname__},
            )
