"""What the benches need of a process that they start: a port that is free, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import socket


def free_port() -> int:
    """Return a port of this machine that nobody has at the moment."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


async def end(process: asyncio.subprocess.Process, within_s: float) -> None:
    """Ask a process to end, and kill it where it has not after so many seconds."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), within_s)
        except TimeoutError:
            process.kill()
            await process.wait()
