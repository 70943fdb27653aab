"""Requests to the service that is watched, at a steady rate, whether it keeps up or not."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx

_AT_ONCE = 64
_TIMEOUT_S = 30.0


@dataclass
class Sent:
    """What was sent: answered requests, failed ones, and how long it went on."""

    answered: int = 0
    failed: int = 0
    seconds: float = 0.0

    @property
    def per_minute(self) -> float:
        return 60 * self.answered / self.seconds if self.seconds else 0.0


@contextlib.asynccontextmanager
async def at(service: str, per_minute: int, rng: random.Random) -> AsyncIterator[Sent]:
    """Send so many requests a minute while this is open, at moments drawn as of strangers."""
    sent = Sent()
    if not per_minute:
        yield sent
        return
    began = time.monotonic()
    task = asyncio.create_task(_send(service, per_minute, rng, sent))
    try:
        yield sent
    finally:
        sent.seconds = time.monotonic() - began
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _send(service: str, per_minute: int, rng: random.Random, sent: Sent) -> None:
    slots = asyncio.Semaphore(_AT_ONCE)
    limits = httpx.Limits(max_connections=_AT_ONCE)
    async with (
        httpx.AsyncClient(
            base_url=service, timeout=_TIMEOUT_S, trust_env=False, limits=limits
        ) as http,
        asyncio.TaskGroup() as group,
    ):

        async def one(number: int) -> None:
            try:
                answer = await http.get(f"/work/{number}")
            except httpx.HTTPError:
                sent.failed += 1
            else:
                sent.answered += answer.is_success
                sent.failed += not answer.is_success
            finally:
                slots.release()

        number, due = 0, time.monotonic()
        while True:
            due += rng.expovariate(per_minute / 60)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            await slots.acquire()
            number += 1
            group.create_task(one(number))
