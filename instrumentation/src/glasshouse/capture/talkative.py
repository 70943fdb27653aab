"""Loggers that write arguments, full URLs or one line a request at INFO."""

import functools
from typing import Final

NAMES: Final = (
    "gunicorn.access",
    "httpcore",
    "httpx",
    "hypercorn.access",
    "procrastinate",
    "psycopg.pool",
    "uvicorn.access",
)


@functools.lru_cache(maxsize=1024)
def is_talkative(name: str) -> bool:
    """Return whether what a logger says below WARNING stays on the console."""
    return any(name == one or name.startswith(f"{one}.") for one in NAMES)
