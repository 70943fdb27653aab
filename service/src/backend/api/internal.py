"""``/metrics`` and ``/jobs/status``, for who holds the internal token."""

from datetime import datetime
from typing import Final, Literal

from fastapi import APIRouter, Depends, HTTPException, Request
from starlette.responses import HTMLResponse, Response

from backend.api import problems
from backend.api.auth import require_internal
from backend.api.dependencies import Provided
from backend.api.jobs_page import POLICY, render
from backend.api.models import Out
from backend.jobs.queue import JOBS
from backend.jobs.status import read_jobs, read_workers
from glasshouse.prometheus import CONTENT_TYPE, prometheus_text

router = APIRouter(
    tags=["internal"],
    dependencies=[Depends(require_internal)],
    responses=problems.responses(401),
)

_EXAMPLE: Final = '# TYPE health_check_status gauge\nhealth_check_status{check="postgres"} 1.0\n'


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
    """One job. ``failed`` counts the last 24 hours; ``oldestPendingAge`` is in seconds.

    A job is ``overdue`` when it last succeeded over twice the interval of its schedule ago.
    ``lastFailure`` is of the last run that is not tried again; ``lastFailureTrace`` is its trace's
    id.
    """

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
    overdue: bool
    last_failure: datetime | None
    last_failure_error: str | None
    last_failure_trace: str | None


class WorkerOut(Out):
    """One worker process; ``heartbeatAge`` is in seconds."""

    worker: str
    state: Literal["alive", "lost", "stopped"]
    started: datetime
    heartbeat_age: float


class JobsOut(Out):
    """All jobs, and the workers of the last day."""

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
async def job_status(
    request: Request, services: Provided, reload: Literal["on", "off"] = "on"
) -> Response:
    """JSON, or with ``Accept: text/html`` a page for people, which loads again by itself."""
    jobs = await read_jobs(services.pool, services.schedules, JOBS)
    workers = await read_workers(services.pool, services.worker_max_heartbeat_age)
    if "text/html" in request.headers.get("accept", ""):
        page = render(jobs, workers, services.links, reload=reload == "on")
        return HTMLResponse(page, headers={"Content-Security-Policy": POLICY})
    out = JobsOut(
        jobs=[JobOut(**vars(job)) for job in jobs],
        workers=[WorkerOut(**vars(worker)) for worker in workers],
    )
    return Response(out.model_dump_json(by_alias=True), media_type="application/json")
