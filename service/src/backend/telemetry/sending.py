"""Sends the events of the outbox. Only workers import this module.

A row is locked while it is sent and deleted once the Collector has acknowledged it. A worker that
is killed loses its locks, and the next one sends the event again, under the same id. Any number of
workers may.
"""

import asyncio
import contextlib
import logging
import secrets
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final

import psycopg
from opentelemetry.instrumentation.utils import suppress_instrumentation

from backend.platform import error_tracking
from backend.platform.database import Connection, Pool
from backend.platform.queries import query
from backend.telemetry.outbox import event_of
from glasshouse.acknowledged import Outcome, PreparedEvent

# An event waits for half of it on average. The question is one look into an index.
POLL_INTERVAL_S: Final = 0.2
FIRST_PAUSE_S: Final = 0.5
LAST_PAUSE_S: Final = 5.0
BATCH: Final = 500
# Of those that were refused together: each is one request.
REFUSED_BATCH: Final = 50
# Alone, over a minute and a half. After it an event is set aside.
MOST_REFUSALS: Final = 7
# For what the last jobs have left, when a worker ends.
LAST_ROUND_S: Final = 1.0

_logger = logging.getLogger(__name__)
_random = secrets.SystemRandom()

Send = Callable[[Sequence[PreparedEvent]], Outcome]
Rows = list[dict[str, Any]]


class OutboxSender:
    """Sends what waits, in the order in which it was written.

    ``send`` blocks, and runs on a thread of its own. ``batch`` bounds what it gets at once.
    """

    def __init__(
        self,
        pool: Pool,
        send: Send,
        *,
        batch: int = BATCH,
        most_refusals: int = MOST_REFUSALS,
    ) -> None:
        self._pool = pool
        self._send = send
        self._batch = batch
        self._most_refusals = most_refusals
        self._size = batch
        self._pause = FIRST_PAUSE_S

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send while the block runs, and what is left at its end, for at most a second."""
        stopping = asyncio.Event()
        task = asyncio.create_task(self._run(stopping))
        try:
            yield
        finally:
            stopping.set()
            await asyncio.wait([task], timeout=LAST_ROUND_S)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self, stopping: asyncio.Event) -> None:
        while True:
            # Before the round: what is committed until then is in it.
            is_last = stopping.is_set()
            pause = await self._guarded_round()
            if is_last and pause > 0:
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await stopping.wait()

    async def _guarded_round(self) -> float:
        try:
            # Housekeeping: no spans of it.
            with suppress_instrumentation():
                return await self.round()
        except psycopg.Error as error:
            _logger.warning(
                "The outbox could not be read", extra={"error.type": type(error).__qualname__}
            )
        # The loop must outlive whatever goes wrong in one round.
        except Exception as error:
            error_tracking.capture(error)
            _logger.exception("The outbox could not be sent")
        return self._backed_off()

    async def round(self) -> float:
        """Send one batch. Return the seconds to wait before the next; 0: there is more.

        Raises:
            psycopg.Error: the database failed; what was sent is sent again.
        """
        async with self._pool.connection() as connection:
            rows = await _rows(connection, "new_events", self._size)
            if rows and not await self._deliver(connection, rows, alone=False):
                return self._backed_off()
        if len(rows) < self._size and not await self._send_refused():
            return self._backed_off()
        self._pause = FIRST_PAUSE_S
        more = len(rows) == self._size
        self._size = min(self._size * 2, self._batch)
        return 0.0 if more else POLL_INTERVAL_S

    async def _send_refused(self) -> bool:
        """Send each event that was refused and is due, alone: one is bad, its neighbours are not.

        Return whether the Collector is available.
        """
        for _ in range(REFUSED_BATCH):
            async with self._pool.connection() as connection:
                rows = await _rows(connection, "refused_events", 1)
                if not rows:
                    return True
                if not await self._deliver(connection, rows, alone=True):
                    return False
        return True

    async def _deliver(self, connection: Connection, rows: Rows, *, alone: bool) -> bool:
        """Send locked rows and write what became of them. Return whether anybody answered."""
        events = [event_of(row) for row in rows]
        positions = [row["position"] for row in rows]
        outcome = await _in_thread(lambda: self._send(events))
        extra = {"events": len(events), "is_alone": alone, "outcome": outcome}
        _logger.debug("Events sent", extra=extra)
        match outcome:
            case "acknowledged":
                await connection.execute(query("delete_events"), {"positions": positions})
            case "refused":
                cursor = await connection.execute(
                    query("refuse_events"),
                    {"positions": positions, "alone": alone, "limit": self._most_refusals},
                )
                for row in await cursor.fetchall():
                    if row["is_set_aside"]:
                        _report_set_aside(row)
            case "unavailable":
                return False
        return True

    def _backed_off(self) -> float:
        # A request that is too large to be answered in time would never be.
        self._size = max(self._size // 2, 1)
        pause = self._pause * _random.uniform(0.8, 1.2)
        self._pause = min(self._pause * 2, LAST_PAUSE_S)
        return pause


def _report_set_aside(row: dict[str, Any]) -> None:
    _logger.error(
        "An event is set aside: the Collector refuses it",
        extra={"refused.event": row["name"], "log.record.uid": str(row["id"])},
    )


async def _rows(connection: Connection, name: str, limit: int) -> Rows:
    return await (await connection.execute(query(name), {"limit": limit})).fetchall()


async def _in_thread(call: Callable[[], Outcome]) -> Outcome:
    """Return what ``call`` returns, on a thread that does not keep the process from its end."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Outcome] = loop.create_future()

    def settle(outcome: Outcome | None, error: Exception | None) -> None:
        if answer.done():
            return  # nobody waits any more
        if outcome is not None:
            answer.set_result(outcome)
        else:
            answer.set_exception(error or RuntimeError("no outcome"))

    def run() -> None:
        outcome, fault = None, None
        try:
            outcome = call()
        except Exception as error:  # noqa: BLE001 (raised where it is awaited)
            fault = error
        # The loop is closed when the worker has ended meanwhile.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, outcome, fault)

    threading.Thread(target=run, name="outbox-sender", daemon=True).start()
    return await answer
