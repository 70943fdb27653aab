"""The FastAPI application."""

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI

from backend import jobs
from backend.api import health, payments, problems
from backend.api.middleware import (
    BodyLimitMiddleware,
    SecurityHeadersMiddleware,
    UnhandledErrorMiddleware,
)
from backend.database import create_pool
from backend.payments import Payments
from backend.settings import ApiSettings
from glasshouse import RequestContextMiddleware


def create_app(settings: ApiSettings) -> FastAPI:
    """Return the API. It connects to Postgres when it starts up, and serves without it."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with create_pool(settings, application="backend-api") as pool:
            procrastinate = jobs.create_app()
            await procrastinate.open_async(pool)
            app.state.pool = pool
            app.state.payments = Payments(pool)
            app.state.queue = jobs.JobQueue(procrastinate)
            yield

    app = FastAPI(
        title="Glasshouse backend",
        version="0.1.0",
        lifespan=lifespan,
        # Their pages load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={
            "operation_spans": False,
            # Its records repeat exception messages; `middleware` logs errors.
            "logs": False,
            "exclude": health.is_health_check,
        },
    )
    # The last one added is the outermost.
    app.add_middleware(BodyLimitMiddleware, max_bytes=settings.max_body_bytes)
    app.add_middleware(UnhandledErrorMiddleware)
    app.add_middleware(SecurityHeadersMiddleware)
    app.add_middleware(RequestContextMiddleware)
    problems.install(app)
    app.include_router(health.router)
    app.include_router(payments.router)
    return app
