"""Keeps people in Redis or Valkey, without and with asyncio."""

import asyncio
import os

import redis
import redis.asyncio

ADDRESS = os.environ["REDIS_URL"]


async def read_later() -> None:
    async with redis.asyncio.from_url(ADDRESS) as client:
        print(len(await client.get("person:7")))


with redis.from_url(ADDRESS) as client:
    client.set("person:7", "nora.lind@example.org")
    with client.pipeline() as batch:
        batch.get("person:7")
        batch.hset("cards", "nora", "4111111111111111")
        batch.execute()
    try:
        client.incr("person:7")
    except redis.ResponseError as error:
        print(type(error).__name__)
asyncio.run(read_later())
