"""Reads people from Postgres with asyncpg."""

import asyncio
import os

import asyncpg


async def main() -> None:
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    await connection.execute("CREATE TEMPORARY TABLE people (name text, mail text)")
    await connection.execute("INSERT INTO people VALUES ('nora', 'nora.lind@example.org')")
    async with connection.transaction():
        rows = await connection.fetch("SELECT * FROM people WHERE name = $1", "nora")
    print(len(rows))
    try:
        await connection.fetch("SELECT age FROM people WHERE name = 'nora'")
    except asyncpg.UndefinedColumnError as error:
        print(type(error).__name__)
    await connection.close()


asyncio.run(main())
