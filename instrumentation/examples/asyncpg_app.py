"""Reads people from Postgres with asyncpg."""

import asyncio
import os

import asyncpg
from opentelemetry import trace


async def main() -> None:
    with trace.get_tracer("people").start_as_current_span("report"):
        connection = await asyncpg.connect(os.environ["DATABASE_URL"])
        await connection.execute("CREATE TEMPORARY TABLE people (name text, mail text)")
        await connection.execute("INSERT INTO people VALUES ('n', 'nora.lind@example.org')")
        rows = await connection.fetch("SELECT * FROM people WHERE name = $1", "n")
        print(len(rows))
        try:
            await connection.fetch("SELECT 1 / 0 WHERE 'nora.lind@example.org' = $1", "n")
        except asyncpg.DivisionByZeroError as error:
            print(type(error).__name__)
        await connection.close()


asyncio.run(main())
