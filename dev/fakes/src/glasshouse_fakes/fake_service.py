"""What every fake service has: a name, a fault switch, routes, and what it received."""

import asyncio
from collections import deque
from typing import Any, Final

from fastapi import APIRouter
from starlette.responses import JSONResponse

from glasshouse_fakes.faults import Mode, Switch

MAX_RECEIVED: Final = 5_000
DEFAULT_ERROR: Final = 500


class FakeService:
    """Stands for one external service. Keeps the last `MAX_RECEIVED` things it received."""

    name: str
    modes: frozenset[Mode] = frozenset({Mode.DOWN, Mode.SLOW, Mode.ERROR})

    def __init__(self, seed: int) -> None:
        self.switch = Switch(self.name, self.modes, seed)
        self.received: deque[Any] = deque(maxlen=MAX_RECEIVED)

    def router(self) -> APIRouter:
        """Return the routes of this service."""
        raise NotImplementedError

    def reset(self) -> None:
        """Forget what was received."""
        self.received.clear()

    async def start(self) -> None:
        """Open what the routes do not cover, such as a port of its own."""

    async def stop(self) -> None:
        """Close what `start` opened."""

    async def apply_fault(self) -> JSONResponse | None:
        """Delay this request, or return the answer of a service that is down or fails."""
        fault = self.switch.should_fail(Mode.SLOW, Mode.DOWN, Mode.ERROR)
        if fault is None:
            return None
        await asyncio.sleep(fault.delay)
        if fault.mode is Mode.DOWN:
            return JSONResponse({"detail": f"{self.name} is down"}, status_code=503)
        if fault.mode is Mode.ERROR:
            status = fault.status or DEFAULT_ERROR
            return JSONResponse({"detail": f"{self.name} fails"}, status_code=status)
        return None
