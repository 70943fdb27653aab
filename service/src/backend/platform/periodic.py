"""Something done again and again beside the main work of a process."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

from backend.platform import error_tracking

_logger = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def every(interval: float, action: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
    """Run ``action`` now and every ``interval`` seconds while the block runs.

    An action that raises is logged, and run again.
    """

    async def repeat() -> None:
        while True:
            try:
                await action()
            # The loop must outlive whatever goes wrong in one round.
            except Exception as error:
                error_tracking.capture(error)
                _logger.exception("A periodic action failed")
            await asyncio.sleep(interval)

    task = asyncio.create_task(repeat())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
