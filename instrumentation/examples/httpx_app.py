"""Calls another service with httpx, without and with asyncio, in one go and as a stream."""

import asyncio
import os

import httpx

SERVICE = os.environ["SERVICE_URL"]
REFUSED = "http://nora:hunter2@127.0.0.1:9/people/nora.lind@example.org"


async def read_later() -> None:
    async with httpx.AsyncClient() as client:
        async with client.stream("GET", f"{SERVICE}/stream") as answer:
            print(len(await answer.aread()))
        try:
            await client.get(REFUSED)
        except httpx.ConnectError as error:
            print(type(error).__name__)


with httpx.Client() as client:
    client.get(f"{SERVICE}/people?mail=nora.lind@example.org")
    client.post(f"{SERVICE}/people", json={"mail": "nora.lind@example.org"})
asyncio.run(read_later())
