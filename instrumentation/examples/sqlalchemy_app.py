"""Reads people from Postgres with SQLAlchemy: without asyncio by psycopg, with it by asyncpg."""

import asyncio
import os

from sqlalchemy import create_engine, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import create_async_engine

DATABASE = os.environ["DATABASE_URL"].removeprefix("postgresql")


async def read_later() -> None:
    engine = create_async_engine(f"postgresql+asyncpg{DATABASE}")
    async with engine.connect() as connection:
        await connection.execute(text("SELECT length(:mail)"), {"mail": "nora.lind@example.org"})
    await engine.dispose()


engine = create_engine(f"postgresql+psycopg{DATABASE}")
with engine.begin() as connection:
    connection.execute(text("CREATE TEMPORARY TABLE people (name text, mail text)"))
    connection.execute(text("INSERT INTO people VALUES (:name, 'nora')"), {"name": "lind"})
    print(connection.execute(text("SELECT count(*) FROM people")).scalar())
try:
    with engine.connect() as connection:
        connection.execute(text("SELECT 'nora.lind@example.org' FROM nowhere"))
except ProgrammingError as error:
    print(type(error).__name__)
asyncio.run(read_later())
