"""The pool: lost connections are noticed, and single statements end by themselves."""

import asyncio
from typing import Any

import psycopg
import pytest
from psycopg.pq import TransactionStatus
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from backend.platform import database
from backend.platform.database import UNAVAILABLE, Connection, Pool, single_statement
from backend.platform.settings import DatabaseSettings


@pytest.fixture
async def pings(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> list[Connection]:
    """The connections that were pinged; the ping itself is the real one."""
    pinged: list[Connection] = []
    ping = Pool.check_connection

    async def noting(connection: Connection) -> None:
        pinged.append(connection)
        await ping(connection)

    await pool.wait()
    # Known as alive from now on, without end.
    monkeypatch.setattr(database, "TRUSTED_S", 1e9)
    await _use_all(pool)
    monkeypatch.setattr(AsyncConnectionPool, "check_connection", staticmethod(noting))
    return pinged


async def _pid(pool: Pool) -> int:
    async with pool.connection() as connection:
        await connection.execute("SELECT 1")
        return connection.info.backend_pid


async def _use_all(pool: Pool) -> None:
    async with pool.connection(), pool.connection():
        pass


async def test_connection_in_use_is_not_pinged_again(
    pool: Pool, pings: list[Connection], monkeypatch: pytest.MonkeyPatch
):
    for _ in range(10):
        await _pid(pool)
    assert pings == []
    monkeypatch.setattr(database, "TRUSTED_S", 0)
    await _pid(pool)
    assert len(pings) == 1


async def test_closed_connections_are_replaced_before_use(
    empty: DatabaseSettings, pool: Pool, pings: list[Connection]
):
    before = {await _pid(pool) for _ in range(4)}
    assert len(before) == 2
    administrator = await psycopg.AsyncConnection.connect(empty.conninfo(), autocommit=True)
    async with administrator:
        # It waits until the process is gone, as after a restart of the server.
        for pid in before:
            await administrator.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    assert await _pid(pool) not in before
    assert pings


async def test_single_statement_leaves_no_transaction(pool: Pool):
    async with single_statement(pool) as connection:
        await connection.execute("SELECT 1")
        assert connection.info.transaction_status == TransactionStatus.IDLE
    with pytest.raises(psycopg.errors.DivisionByZero):
        async with single_statement(pool) as connection:
            await connection.execute("SELECT 1 / 0")
    async with pool.connection() as first, pool.connection() as second:
        for each in (first, second):
            await each.execute("SELECT 1")
            assert each.info.transaction_status == TransactionStatus.INTRANS


async def test_single_statement_on_a_lost_connection_raises_what_happened(pool: Pool):
    with pytest.raises(psycopg.errors.AdminShutdown):
        async with single_statement(pool) as connection:
            await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    assert await _pid(pool)


@pytest.mark.parametrize("error", [PoolClosed, PoolTimeout, TooManyRequests])
def test_the_pool_s_own_errors_mean_that_the_database_is_unavailable(error: type[Exception]):
    assert issubclass(error, UNAVAILABLE)


async def test_who_debugs_sees_who_waited_for_a_connection(
    empty: DatabaseSettings, caplog: pytest.LogCaptureFixture
):
    caplog.set_level("DEBUG", logger="backend.platform.database")

    def waits() -> list[dict[str, Any]]:
        named = "Waited for a connection"
        return [vars(one) for one in caplog.records if one.getMessage() == named]

    small = empty.model_copy(update={"db_pool_max": 2})
    async with database.create_pool(small, application="test") as pool:
        await pool.wait()
        caplog.clear()
        await _pid(pool)
        async with pool.connection(), pool.connection():
            # On a busy machine these may have waited, too.
            unhindered = len(waits())
            third = asyncio.create_task(_pid(pool))
            await asyncio.wait([third], timeout=20 * database.NOTED_WAIT_S)
            assert not third.done()
        await third
    *before, found = waits()
    assert len(before) == unhindered
    assert found["levelname"] == "DEBUG"
    assert found["seconds"] >= database.NOTED_WAIT_S
    assert found["pool.size"] == 2
