"""Jobs and workers as ``/jobs/status`` returns them, from a real database."""

from datetime import UTC, datetime, timedelta
from typing import LiteralString

import httpx
import procrastinate
import pytest

from backend.api.jobs_page import POLICY
from backend.jobs.queue import CONFIRM_PAYMENT, DELIVER_NOTIFICATION, JOBS, SWEEP_PAYMENTS
from backend.jobs.status import read_jobs, read_workers
from backend.platform.database import Pool

from .conftest import Provided, scheduled

SCHEDULES = scheduled()
RIGHT = {"Authorization": "Bearer 0123456789abcdef"}


async def execute(pool: Pool, statement: LiteralString) -> None:
    async with pool.connection() as connection:
        await connection.execute(statement)


@pytest.fixture
async def history(pool: Pool, jobs: procrastinate.App) -> None:
    """One job that succeeded, failed and runs again; one that waits; one for later."""
    await execute(
        pool,
        "INSERT INTO job_runs (job_id, job, attempt, worker, started_at, finished_at, outcome,"
        " error_class, trace_id) VALUES"
        " (1, 'confirm_payment', 1, 'w', now(), now() - interval '3 h', 'succeeded', NULL, NULL),"
        " (2, 'confirm_payment', 1, 'w', now(), now() - interval '2 h', 'retried', 'OSError',"
        "  repeat('b', 32)),"
        " (2, 'confirm_payment', 2, 'w', now(), now() - interval '1 h', 'failed', 'OSError',"
        "  repeat('a', 32)),"
        " (3, 'confirm_payment', 1, 'w', now(), now() - interval '2 d', 'failed', 'KeyError',"
        "  NULL),"
        " (4, 'confirm_payment', 1, 'w', now(), NULL, NULL, NULL, NULL),"
        " (5, 'sweep_payments', 1, 'w', now(), now() - interval '1 h', 'succeeded', NULL, NULL),"
        " (6, 'sweep_payments', 1, 'w', now(), now(), 'aborted', 'JobAborted', repeat('c', 32))",
    )
    for _ in range(2):
        await jobs.configure_task(CONFIRM_PAYMENT).defer_async(payment_id="tx")
    later = datetime.now(UTC) + timedelta(hours=1)
    deferrer = jobs.configure_task(DELIVER_NOTIFICATION, schedule_at=later)
    await deferrer.defer_async(notification_id="n")
    await execute(
        pool,
        "UPDATE procrastinate_events SET at = now() - interval '90 s' WHERE id ="
        " (SELECT min(id) FROM procrastinate_events)",
    )
    await execute(
        pool,
        "INSERT INTO worker_heartbeats (worker, beat_at, stopped_at) VALUES"
        " ('fresh', now(), NULL), ('gone', now() - interval '1 min', NULL),"
        " ('<b>done', now() - interval '2 min', now() - interval '2 min')",
    )


def seconds_ago(moment: datetime | None) -> float:
    assert moment is not None
    return (datetime.now(UTC) - moment).total_seconds()


@pytest.mark.usefixtures("history")
async def test_each_job_shows_its_past_present_and_future(pool: Pool):
    before = datetime.now(UTC)
    rows = await read_jobs(pool, SCHEDULES, JOBS)
    after = datetime.now(UTC)
    assert [row.job for row in rows] == list(JOBS)
    status = {row.job: row for row in rows}
    confirm = status[CONFIRM_PAYMENT]
    assert (confirm.running, confirm.pending, confirm.failed) == (1, 2, 1)
    assert (confirm.last_outcome, confirm.last_error) == ("failed", "OSError")
    assert seconds_ago(confirm.last_finished) == pytest.approx(3600, abs=30)
    assert seconds_ago(confirm.last_success) == pytest.approx(3 * 3600, abs=30)
    assert confirm.oldest_pending_age == pytest.approx(90, abs=30)
    assert (confirm.schedule, confirm.next_run) == (None, None)
    assert seconds_ago(confirm.last_failure) == pytest.approx(3600, abs=30)
    assert (confirm.last_failure_error, confirm.last_failure_trace) == ("OSError", "a" * 32)
    deliver = status[DELIVER_NOTIFICATION]
    assert (deliver.running, deliver.pending, deliver.oldest_pending_age) == (0, 0, 0.0)
    assert seconds_ago(deliver.next_run) == pytest.approx(-3600, abs=30)
    assert (deliver.last_outcome, deliver.last_success) == (None, None)
    sweep = status[SWEEP_PAYMENTS]
    assert sweep.schedule == "* * * * *"
    assert (confirm.overdue, deliver.overdue, sweep.overdue) == (False, False, True)
    # What is cancelled on request has not failed.
    assert (sweep.last_outcome, sweep.last_failure) == ("aborted", None)
    assert sweep.next_run is not None
    assert before < sweep.next_run <= after + timedelta(minutes=1)


@pytest.mark.usefixtures("history")
async def test_a_worker_is_alive_lost_or_stopped(pool: Pool):
    workers = await read_workers(pool, max_age=30)
    assert [(one.worker, one.state) for one in workers] == [
        ("fresh", "alive"),
        ("gone", "lost"),
        ("<b>done", "stopped"),
    ]
    assert workers[1].heartbeat_age == pytest.approx(60, abs=10)


@pytest.mark.usefixtures("history")
async def test_the_endpoint_answers_with_json_or_a_page(
    provided: Provided, client: httpx.AsyncClient, pool: Pool
):
    provided.replace(pool=pool)
    response = await client.get("/jobs/status", headers=RIGHT)
    assert response.status_code == 200
    body = response.json()
    assert [job["job"] for job in body["jobs"]] == list(JOBS)
    assert body["jobs"][0]["lastOutcome"] == "failed"
    assert {worker["state"] for worker in body["workers"]} == {"alive", "lost", "stopped"}
    page = await client.get("/jobs/status", headers={**RIGHT, "Accept": "text/html,*/*;q=0.8"})
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["Content-Security-Policy"] == POLICY
    assert page.text.count('<tr role="row" id="job-') == len(JOBS)
    # What a worker calls itself is text, not markup.
    assert "&lt;b&gt;done" in page.text
    assert "<b>done" not in page.text
