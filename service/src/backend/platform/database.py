"""The connection pool."""

import contextlib
import logging
import select
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, TypeVar

import psycopg
from opentelemetry.instrumentation.utils import suppress_instrumentation
from psycopg import AsyncConnection
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from backend.platform.settings import DatabaseSettings

CONNECT_TIMEOUT_S: Final = 5
# How long a caller waits for a free connection.
POOL_TIMEOUT_S: Final = 5.0
MAX_WAITING: Final = 200
STATEMENT_TIMEOUT_MS: Final = 10_000

# Advisory locks. Any fixed numbers; they only have to differ in one database.
MIGRATION_LOCK: Final = 7_135_201_101
RESCUE_LOCK: Final = 7_135_201_102

# A caller that waited so long for a connection is worth a line to who debugs.
NOTED_WAIT_S: Final = 0.05

# How long an answer is good for as a sign that the connection is alive.
TRUSTED_S: Final = 1.0

# The database cannot be used now. The pool's own errors (no free connection in time, too many
# callers that wait, closed) are subclasses.
UNAVAILABLE: Final = (psycopg.OperationalError,)

Connection = AsyncConnection[DictRow]
Pool = AsyncConnectionPool[Connection]

_logger = logging.getLogger(__name__)

IdT = TypeVar("IdT")
# Enqueues the job of the record with this id, in the transaction of the connection given.
Enqueue = Callable[[IdT, Connection], Awaitable[None]]


class _PooledConnection(AsyncConnection[DictRow]):
    checked_at = float("-inf")
    after_commit: tuple[Callable[[], None], ...] = ()

    async def commit(self) -> None:
        actions, self.after_commit = self.after_commit, ()
        await super().commit()
        for action in actions:
            action()

    async def rollback(self) -> None:
        self.after_commit = ()
        await super().rollback()


class _Pool(AsyncConnectionPool[Connection]):
    """Says at DEBUG who had to wait for a connection."""

    async def getconn(
        self,
        timeout: float | None = None,  # noqa: ASYNC109 (the library's signature)
    ) -> Connection:
        started = time.monotonic()
        try:
            return await super().getconn(timeout)
        finally:
            waited = time.monotonic() - started
            if waited >= NOTED_WAIT_S:
                stats = self.get_stats()
                extra = {
                    "seconds": round(waited, 3),
                    "pool.size": stats.get("pool_size", 0),
                    "pool.waiting": stats.get("requests_waiting", 0),
                }
                _logger.debug("Waited for a connection", extra=extra)


def after_commit(connection: Connection, action: Callable[[], None]) -> None:
    """Call ``action`` when the transaction of a pooled connection has been committed.

    It is forgotten with a rollback, and must raise nothing.
    """
    if isinstance(connection, _PooledConnection):
        connection.after_commit += (action,)


async def _check(connection: Connection) -> None:
    """Raise if the connection is lost.

    A ping before every use would cost a round trip. A server that ends closes the socket, which
    is seen at once and for nothing; one that is gone without a word, by a ping each second.
    """
    now = time.monotonic()
    if isinstance(connection, _PooledConnection):
        if now - connection.checked_at < TRUSTED_S and not _has_news(connection.fileno()):
            return
        connection.checked_at = now
    # It would be half of all spans.
    with suppress_instrumentation():
        await Pool.check_connection(connection)


def _has_news(socket: int) -> bool:
    """Return whether an idle connection's socket has something to read, or its end."""
    poll = select.poll()
    poll.register(socket, select.POLLIN)
    return bool(poll.poll(0))


@contextlib.asynccontextmanager
async def single_statement(pool: Pool) -> AsyncIterator[Connection]:
    """Give a connection on which each statement is a transaction of its own.

    For one statement: it spares the round trips of BEGIN and COMMIT.
    """
    async with pool.connection() as connection:
        await connection.set_autocommit(True)
        try:
            yield connection
        finally:
            # In any other state the pool throws the connection away.
            if connection.info.transaction_status == TransactionStatus.IDLE:
                await connection.set_autocommit(False)


def create_pool(settings: DatabaseSettings, *, application: str) -> Pool:
    """Return a closed pool; it opens in the background and reconnects by itself.

    ``application`` is the name Postgres shows for its connections.
    """
    limits = f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c lock_timeout={STATEMENT_TIMEOUT_MS}"
    kwargs: dict[str, Any] = {"row_factory": dict_row}
    return _Pool(
        settings.conninfo(
            connect_timeout=CONNECT_TIMEOUT_S,
            application_name=application,
            options=f"{limits} -c idle_in_transaction_session_timeout={STATEMENT_TIMEOUT_MS}",
        ),
        connection_class=_PooledConnection,
        kwargs=kwargs,
        min_size=2,
        max_size=settings.db_pool_max,
        timeout=POOL_TIMEOUT_S,
        max_waiting=MAX_WAITING,
        check=_check,
        name=application,
        open=False,
    )
