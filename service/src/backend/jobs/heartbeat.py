"""Writes the heartbeat of this worker."""

import logging
import os
import secrets
import socket
from pathlib import Path
from typing import Final

import psycopg
from opentelemetry.instrumentation.utils import suppress_instrumentation

from backend.platform.database import Pool
from backend.platform.queries import query

INTERVAL_S: Final = 5.0
ALIVE_INTERVAL_S: Final = 1.0

_logger = logging.getLogger(__name__)


def worker_name() -> str:
    """Return a name of this process that no other has, before or after it."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


class SignOfLife:
    """A file that is as old as the last turn of the event loop: it needs nothing but this process.

    The heartbeat also stops while the database is away, for which no worker is started again.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file

    async def give(self) -> None:
        """Write the file, if there is to be one. Raises OSError."""
        if self._file is not None:
            self._file.touch()


class Heartbeat:
    """The row of one worker. It runs on the event loop: a worker that hangs does not beat."""

    def __init__(self, pool: Pool, worker: str) -> None:
        self._pool = pool
        self._worker = worker

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
