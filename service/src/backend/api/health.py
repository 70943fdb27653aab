"""``/healthz`` and ``/livez``: open, short, and without telemetry of their own."""

import asyncio
import logging
from typing import Any, Final, cast

import psycopg
from fastapi import APIRouter, Request
from opentelemetry.instrumentation.utils import suppress_instrumentation
from psycopg_pool import PoolTimeout, TooManyRequests
from starlette.responses import JSONResponse

from backend.database import Pool

PING_TIMEOUT_S: Final = 2.0
PATHS: Final = frozenset({"/healthz", "/livez"})

_logger = logging.getLogger(__name__)

router = APIRouter(include_in_schema=False)


def is_health_check(scope: Any) -> bool:
    """Tell whether a request is a health check, which telemetry leaves out."""
    return scope.get("path") in PATHS


@router.get("/livez")
async def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/healthz")
async def healthy(request: Request) -> JSONResponse:
    """The process answers, and so does Postgres."""
    pool = cast(Pool, request.app.state.pool)
    try:
        with suppress_instrumentation():
            async with asyncio.timeout(PING_TIMEOUT_S), pool.connection() as connection:
                await connection.execute("SELECT 1")
    except (TimeoutError, psycopg.Error, PoolTimeout, TooManyRequests) as error:
        _logger.warning("Unhealthy", extra={"error.type": type(error).__qualname__})
        body = {"status": "unavailable", "checks": {"postgres": "failed"}}
        return JSONResponse(body, status_code=503)
    return JSONResponse({"status": "ok"})
