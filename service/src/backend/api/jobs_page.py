"""The job status as a page: text from the server, no script, no style."""

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from typing import Final

from backend.jobs.status import JobStatus, WorkerStatus

_PAGE: Final = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Jobs</title><meta http-equiv="refresh" content="10"></head>
<body>
<h1>Jobs</h1>
<p>As of {now} UTC. Failed: in the last 24 hours.</p>
{jobs}
<h2>Workers</h2>
{workers}
</body>
</html>
"""
_JOB_COLUMNS: Final = (
    "Job",
    "Last outcome",
    "Last success",
    "Next run",
    "Running",
    "Pending",
    "Oldest pending",
    "Failed",
)
_WORKER_COLUMNS: Final = ("Worker", "State", "Started", "Last heartbeat")


def render(jobs: Sequence[JobStatus], workers: Sequence[WorkerStatus]) -> str:
    """Return the page."""
    return _PAGE.format(
        now=_time(datetime.now(UTC)),
        jobs=_table(_JOB_COLUMNS, [_job(job) for job in jobs]),
        workers=_table(_WORKER_COLUMNS, [_worker(one) for one in workers]),
    )


def _job(job: JobStatus) -> list[str]:
    outcome = job.last_outcome or "never ran"
    return [
        job.job,
        f"{outcome} ({job.last_error})" if job.last_error else outcome,
        _time(job.last_success),
        _time(job.next_run),
        str(job.running),
        str(job.pending),
        f"{job.oldest_pending_age:.0f} s" if job.pending else "",
        str(job.failed),
    ]


def _worker(worker: WorkerStatus) -> list[str]:
    age = f"{worker.heartbeat_age:.0f} s ago"
    return [worker.worker, worker.state, _time(worker.started), age]


def _time(moment: datetime | None) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if moment else ""


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>\n" for row in rows
    )
    return f'<table border="1">\n<tr>{head}</tr>\n{body}</table>'
