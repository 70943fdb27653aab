"""The FastAPI application."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final

from fastapi import FastAPI
from opentelemetry.metrics import get_meter
from redis.asyncio import Redis
from starlette.types import Receive, Scope, Send

from backend.api import (
    automation,
    contacts,
    internal,
    limits,
    notifications,
    openapi,
    payments,
    problems,
)
from backend.api import health as health_api
from backend.api.dependencies import LifespanState, create_gate, create_services
from backend.api.gate import Gate, GateMiddleware
from backend.api.middleware import (
    BodyLimitMiddleware,
    SecurityHeadersMiddleware,
    UnhandledErrorMiddleware,
)
from backend.jobs import queue
from backend.operations import health
from backend.operations.gauges import REFRESH_INTERVAL_S, JobGauges, OutboxGauges
from backend.operations.health import HealthChecks
from backend.platform import error_tracking
from backend.platform.database import Pool, create_pool
from backend.platform.periodic import every
from backend.platform.settings import ApiSettings
from backend.platform.version import VERSION
from glasshouse import EdgeMiddleware, RequestContextMiddleware

_DESCRIPTION: Final = (
    "A write answers 202 with an id; the work goes on after it. Every error is a problem document "
    "(RFC 9457), and every answer has the request's id."
)


@contextlib.asynccontextmanager
async def _health_checks(settings: ApiSettings, pool: Pool) -> AsyncIterator[HealthChecks]:
    checks = {
        "postgres": health.postgres(pool),
        health.WORKER: health.worker(pool, settings.worker_max_heartbeat_age),
    }
    async with contextlib.AsyncExitStack() as stack:
        if settings.redis_url is not None:
            url = settings.redis_url.get_secret_value()
            checks["redis"] = await stack.enter_async_context(health.redis(url))
        if settings.smtp_host is not None:
            probe = health.SmtpProbe(settings.smtp_host, settings.smtp_port)
            checks["smtp"] = probe.check
            await stack.enter_async_context(every(health.SMTP_RETRY_S, probe.refresh_if_due))
        all_checks = health.HealthChecks(checks)
        all_checks.register(get_meter("backend"))
        # The gauge stays fresh while nobody asks.
        await stack.enter_async_context(every(health.REFRESH_INTERVAL_S, all_checks.current))
        yield all_checks


class _Application(FastAPI):
    """FastAPI behind an edge of trust, which is outside of its own telemetry."""

    def __init__(self, gate: Gate, **options: Any) -> None:
        super().__init__(**options)
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await EdgeMiddleware(super().__call__, self._gate.trusts)(scope, receive, send)


@contextlib.asynccontextmanager
async def _closing(client: Redis | None) -> AsyncIterator[None]:
    try:
        yield
    finally:
        if client is not None:
            await client.aclose()


def create_app(settings: ApiSettings) -> FastAPI:
    """Return the API. It connects to Postgres when it starts up, and serves without it."""
    redis = limits.client(settings.redis_url.get_secret_value()) if settings.redis_url else None
    buckets = limits.LocalBuckets() if redis is None else limits.SharedBuckets(redis)
    gate = create_gate(settings, buckets)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[LifespanState]:
        async with (
            _closing(redis),
            create_pool(settings, application="backend-api") as pool,
            _health_checks(settings, pool) as checks,
        ):
            jobs = queue.create_app()
            await jobs.open_async(pool)
            services = create_services(settings, gate, pool, checks, jobs)
            if isinstance(buckets, limits.SharedBuckets):
                buckets.register(get_meter("backend"))
            gauges = JobGauges(pool, queue.JOBS, services.schedules)
            gauges.register(get_meter("backend"))
            outbox = OutboxGauges(pool)
            outbox.register(get_meter("backend"))
            async with (
                every(REFRESH_INTERVAL_S, gauges.refresh),
                every(REFRESH_INTERVAL_S, outbox.refresh),
            ):
                yield {"services": services}
            # uvicorn ends the process by SIGTERM, before any exit handler.
            await asyncio.to_thread(error_tracking.flush)

    app = _Application(
        gate,
        title="Glasshouse backend",
        version=VERSION,
        lifespan=lifespan,
        # Their pages load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        description=_DESCRIPTION,
        generate_unique_id_function=openapi.operation_id,
        telemetry={
            "operation_spans": False,
            # Its records repeat exception messages; `middleware` logs errors.
            "logs": False,
            "exclude": health_api.is_health_check,
        },
    )
    # The last one added is the outermost.
    app.add_middleware(BodyLimitMiddleware, max_bytes=settings.max_body_bytes)
    app.add_middleware(GateMiddleware, gate=gate)
    app.add_middleware(UnhandledErrorMiddleware)
    app.add_middleware(SecurityHeadersMiddleware)
    app.add_middleware(RequestContextMiddleware)
    problems.install(app)
    openapi.install(app)
    app.include_router(health_api.router)
    app.include_router(internal.router)
    app.include_router(payments.router)
    app.include_router(automation.router)
    app.include_router(notifications.router)
    app.include_router(contacts.router)
    return app
