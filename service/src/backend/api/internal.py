"""``/metrics`` and ``/jobs/status``, for who holds the internal token."""

from datetime import datetime
from typing import Any, Final, Literal, cast

from fastapi import APIRouter, Depends, HTTPException, Request
from pydantic import ConfigDict
from starlette.responses import HTMLResponse, Response

from backend.api import problems
from backend.api.auth import require_internal
from backend.api.jobs_page import render
from backend.api.models import Out
from backend.jobs.status import read_jobs, read_workers
from backend.jobs.tasks import JOB_NAMES
from backend.platform.database import Pool
from glasshouse.prometheus import CONTENT_TYPE, prometheus_text

router = APIRouter(
    tags=["internal"],
    dependencies=[Depends(require_internal)],
    responses=problems.responses(401),
)

_EXAMPLE: Final = '# TYPE health_check_status gauge\nhealth_check_status{check="postgres"} 1.0\n'

_JOB_EXAMPLE: Final[dict[str, Any]] = {
    "job": "sweep_payments",
    "schedule": "* * * * *",
    "nextRun": "2026-01-02T03:05:00Z",
    "lastSuccess": "2026-01-02T03:04:01.5Z",
    "lastFinished": "2026-01-02T03:04:01.5Z",
    "lastOutcome": "succeeded",
    "lastError": None,
    "running": 0,
    "pending": 0,
    "failed": 0,
    "oldestPendingAge": 0.0,
}
_WORKER_EXAMPLE: Final[dict[str, Any]] = {
    "worker": "backend-7-1f0c9a2e",
    "state": "alive",
    "started": "2026-01-02T03:00:00Z",
    "heartbeatAge": 1.2,
}


@router.get(
    "/metrics",
    summary="This process's metrics, for installations that scrape",
    response_class=Response,
    responses={
        200: {
            "description": "Prometheus text",
            "content": {"text/plain": {"schema": {"type": "string"}, "example": _EXAMPLE}},
        },
        **problems.responses(404),
    },
)
def metrics() -> Response:
    """The same metrics that are pushed over OTLP. Off unless OTEL_METRICS_EXPORTER asks for it."""
    # Not a coroutine: it is all computing, and belongs into a thread.
    text = prometheus_text()
    if text is None:
        raise HTTPException(
            404, "Off: set OTEL_METRICS_EXPORTER=otlp,glasshouse_prometheus to serve metrics."
        )
    return Response(text, media_type=CONTENT_TYPE)


class JobOut(Out):
    """One job. ``failed`` counts the last 24 hours; ``oldestPendingAge`` is in seconds."""

    job: str
    schedule: str | None
    next_run: datetime | None
    last_success: datetime | None
    last_finished: datetime | None
    last_outcome: Literal["succeeded", "failed", "retried", "aborted"] | None
    last_error: str | None
    running: int
    pending: int
    failed: int
    oldest_pending_age: float


class WorkerOut(Out):
    """One worker process; ``heartbeatAge`` is in seconds."""

    worker: str
    state: Literal["alive", "lost", "stopped"]
    started: datetime
    heartbeat_age: float


class JobsOut(Out):
    """All jobs, and the workers of the last day."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"jobs": [_JOB_EXAMPLE], "workers": [_WORKER_EXAMPLE]}]}
    )

    jobs: list[JobOut]
    workers: list[WorkerOut]


@router.get(
    "/jobs/status",
    summary="How are the jobs and the workers?",
    response_model=JobsOut,
    responses={
        200: {"content": {"text/html": {"schema": {"type": "string"}, "example": "<html>"}}},
    },
)
async def job_status(request: Request) -> Response:
    """JSON, or with ``Accept: text/html`` a page for people."""
    state = request.app.state
    pool = cast(Pool, state.pool)
    jobs = await read_jobs(pool, state.schedules, JOB_NAMES)
    workers = await read_workers(pool, state.worker_max_heartbeat_age)
    if "text/html" in request.headers.get("accept", ""):
        return HTMLResponse(render(jobs, workers))
    out = JobsOut(
        jobs=[JobOut(**vars(job)) for job in jobs],
        workers=[WorkerOut(**vars(worker)) for worker in workers],
    )
    return Response(out.model_dump_json(by_alias=True), media_type="application/json")
