"""The connection pool."""

from typing import Any, Final

from opentelemetry.instrumentation.utils import suppress_instrumentation
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from backend.settings import DatabaseSettings

CONNECT_TIMEOUT_S: Final = 5
# How long a caller waits for a free connection.
POOL_TIMEOUT_S: Final = 5.0
MAX_WAITING: Final = 200
STATEMENT_TIMEOUT_MS: Final = 10_000

# Advisory locks. Any fixed numbers; they only have to differ in one database.
MIGRATION_LOCK: Final = 7_135_201_101
RESCUE_LOCK: Final = 7_135_201_102

Connection = AsyncConnection[DictRow]
Pool = AsyncConnectionPool[Connection]


async def _check(connection: Connection) -> None:
    # A ping before every use; it would be half of all spans.
    with suppress_instrumentation():
        await Pool.check_connection(connection)


def create_pool(settings: DatabaseSettings, *, application: str) -> Pool:
    """Return a closed pool; it opens in the background and reconnects by itself.

    ``application`` is the name Postgres shows for its connections.
    """
    limits = f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c lock_timeout={STATEMENT_TIMEOUT_MS}"
    kwargs: dict[str, Any] = {"row_factory": dict_row}
    return AsyncConnectionPool(
        settings.conninfo(
            connect_timeout=CONNECT_TIMEOUT_S,
            application_name=application,
            options=f"{limits} -c idle_in_transaction_session_timeout={STATEMENT_TIMEOUT_MS}",
        ),
        connection_class=AsyncConnection[DictRow],
        kwargs=kwargs,
        min_size=2,
        max_size=settings.db_pool_max,
        timeout=POOL_TIMEOUT_S,
        max_waiting=MAX_WAITING,
        check=_check,
        name=application,
        open=False,
    )
