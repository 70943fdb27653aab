"""Reads people from Postgres with psycopg, without and with asyncio."""

import asyncio
import os

import psycopg

DATABASE = os.environ["DATABASE_URL"]


async def read_later() -> None:
    async with await psycopg.AsyncConnection.connect(DATABASE) as connection:
        await connection.execute("SELECT name FROM people WHERE name = %s", ["nora"])


with psycopg.connect(DATABASE) as connection:
    connection.execute("CREATE TEMPORARY TABLE people (name text, mail text)")
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO people VALUES ('nora', 'nora.lind@example.org')")
        cursor.executemany("INSERT INTO people VALUES (%s, %s)", [("a", "b"), ("c", "d")])
        cursor.execute("SELECT count(*) FROM people WHERE name = 'nora'")
        print(cursor.fetchone())
try:
    asyncio.run(read_later())
except psycopg.errors.UndefinedTable as error:
    print(type(error).__name__)
