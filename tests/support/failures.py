"""A backend in which something fails.

    python -m support.failures DSN masked|bare request|job|crash TEXT [UPSTREAM]

TEXT is the exception's.

Prints one JSON object: the trace id and, for a request, the answer and the headers that the
upstream got.
"""

import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx
import procrastinate
from opentelemetry import trace
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from procrastinate.testing import InMemoryConnector

from backend.api.app import create_app
from backend.platform import error_tracking
from backend.platform.settings import ApiSettings, ErrorTrackingSettings
from glasshouse.instrumentors.procrastinate import ProcrastinateInstrumentor
from glasshouse.redaction import Redactor
from support import callers

DSN, REDACTION, WHAT, TEXT, *UPSTREAM = sys.argv[1:]
PERSON = TEXT.split()[-1]


def fail(value: str) -> None:
    secret_local = value
    raise RuntimeError(secret_local)


async def request() -> dict[str, Any]:
    seen: dict[str, Any] = {}

    known = callers.write(Path(tempfile.mkdtemp()) / "callers")
    app = create_app(
        ApiSettings.model_validate(
            {
                "database_url": "postgresql://backend@127.0.0.1:1/backend",
                "database_password": "nothing",
                "internal_token_file": __file__,
                "data_key_file": __file__,
                "api_callers_file": known,
            }
        )
    )

    @app.post("/failing")
    async def failing(body: dict[str, str]) -> None:
        seen["trace"] = current_trace()
        async with httpx.AsyncClient() as client:
            seen["upstream"] = (await client.get(UPSTREAM[0])).json()
        fail(TEXT)

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.post(
            f"/failing?token={PERSON}",
            json={"person": PERSON},
            headers={
                **callers.AUTHORIZATION,
                "Cookie": f"session={PERSON}",
                "X-Request-ID": "request-0001",
            },
        )
    return {**seen, "status": answer.status_code}


async def job() -> dict[str, Any]:
    """A job that fails, is tried again and fails for good."""
    seen: dict[str, Any] = {"runs": 0}
    app = procrastinate.App(connector=InMemoryConnector())

    @app.task(name="failing", retry=1)
    async def failing(person: str) -> None:
        seen["runs"] += 1
        seen["trace"] = current_trace()
        fail(TEXT)

    async with app.open_async():
        await failing.defer_async(person=PERSON)
        await app.run_worker_async(
            wait=False,
            install_signal_handlers=False,
            worker_middleware=[error_tracking.report_failed_job],
        )
    return seen


def current_trace() -> str:
    return trace.format_trace_id(trace.get_current_span().get_span_context().trace_id)


def main() -> None:
    trace.set_tracer_provider(TracerProvider())
    HTTPXClientInstrumentor().instrument()
    ProcrastinateInstrumentor().instrument()
    redact = Redactor.default().value if REDACTION == "masked" else dict
    settings = ErrorTrackingSettings.model_validate({"sentry_dsn": DSN or None})
    error_tracking.start(settings, service="backend-test", redact=redact)
    if WHAT == "crash":
        fail(TEXT)
    seen = asyncio.run({"request": request, "job": job}[WHAT]())
    error_tracking.flush()
    sys.stdout.write("\n" + json.dumps(seen))


if __name__ == "__main__":
    main()
