"""The worker process: runs jobs until it is told to stop."""

import logging
from typing import Final

import httpx
import procrastinate
import psycopg
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.metrics import get_meter
from procrastinate import signals
from procrastinate.exceptions import ConnectorException
from procrastinate.manager import JobManager
from procrastinate.worker import Worker
from psycopg_pool import PoolTimeout, TooManyRequests

from backend.chain import TIMEOUT_S, Chain
from backend.confirmation import Confirmation
from backend.database import RESCUE_LOCK, Pool, create_pool
from backend.error_tracking import report_failed_job
from backend.gauges import REFRESH_INTERVAL_S, JobGauges
from backend.jobs import CONFIRMATION_KEY, JOB_NAMES, create_app, report_job
from backend.payments import Payments
from backend.periodic import every
from backend.queries import query
from backend.settings import WorkerSettings

# After it running jobs are cancelled and go back to the queue. Four seconds are left for that
# and for the last telemetry: 8 in all.
GRACEFUL_TIMEOUT_S: Final = 4.0
# Notifications start jobs at once. A job enqueued while the queue is being read is not
# notified, and is found by the next look.
POLL_INTERVAL_S: Final = 1.0
HEARTBEAT_INTERVAL_S: Final = 2.0
STALLED_AFTER_S: Final = 10.0
RESCUE_INTERVAL_S: Final = 5.0
DATABASE_WAIT_S: Final = 30.0

_logger = logging.getLogger(__name__)


async def run(settings: WorkerSettings) -> int:
    """Run jobs until SIGTERM or SIGINT. Return the exit code: 0 after a stop on request."""
    pool = create_pool(settings, application="backend-worker")
    async with (
        pool,
        httpx.AsyncClient(
            timeout=TIMEOUT_S, limits=httpx.Limits(max_connections=settings.worker_concurrency)
        ) as client,
    ):
        try:
            await pool.wait(DATABASE_WAIT_S)
        except PoolTimeout:
            _logger.error("The database cannot be reached", extra={"setting": "DATABASE_URL"})
            return 1
        app = create_app()
        await app.open_async(pool)
        if not await app.check_connection_async():
            _logger.error("The database has no tables: run `backend migrate` first")
            return 1
        confirmation = Confirmation(
            payments=Payments(pool),
            chain=Chain(client, str(settings.chain_rpc_url)),
            timeout=settings.payment_confirmation_timeout,
            poll_interval=settings.chain_poll_interval,
        )
        gauges = JobGauges(pool, JOB_NAMES)
        gauges.register(get_meter("backend"))
        async with (
            every(REFRESH_INTERVAL_S, gauges.refresh),
            every(RESCUE_INTERVAL_S, lambda: rescue_stalled_jobs(app, pool)),
        ):
            return await _work(app, settings.worker_concurrency, confirmation)


async def _work(app: procrastinate.App, concurrency: int, confirmation: Confirmation) -> int:
    stopping = False
    worker = Worker(
        app,
        concurrency=concurrency,
        fetch_job_polling_interval=POLL_INTERVAL_S,
        shutdown_graceful_timeout=GRACEFUL_TIMEOUT_S,
        update_heartbeat_interval=HEARTBEAT_INTERVAL_S,
        stalled_worker_timeout=STALLED_AFTER_S,
        additional_context={CONFIRMATION_KEY: confirmation},
        worker_middleware=[report_job, report_failed_job],
        # Ours tell a stop on request from a worker that gave up.
        install_signal_handlers=False,
    )

    def stop() -> None:
        nonlocal stopping
        stopping = True
        worker.stop()

    with signals.on_stop(stop):
        _logger.info("Worker started", extra={"concurrency": concurrency})
        try:
            await worker.run()
        except ConnectorException:
            # Its jobs are rescued by another worker, or by this one's next start.
            _logger.error("The worker lost the database and ends")
            return 1
    _logger.info("Worker stopped")
    return 0 if stopping else 1


async def rescue_stalled_jobs(app: procrastinate.App, pool: Pool) -> None:
    """Put jobs back into the queue whose worker died without handing them back.

    Only one worker does so at a time: a second could put back what the first already runs.
    """
    try:
        with suppress_instrumentation():
            async with pool.connection() as connection:
                cursor = await connection.execute(query("try_rescue_lock"), {"key": RESCUE_LOCK})
                row = await cursor.fetchone()
                if row is not None and row["taken"]:
                    await _rescue(app.job_manager)
    except (ConnectorException, psycopg.Error, PoolTimeout, TooManyRequests) as error:
        _logger.warning(
            "Stalled jobs could not be rescued", extra={"error.type": type(error).__qualname__}
        )


async def _rescue(jobs: JobManager) -> None:
    for job in await jobs.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_S):
        await jobs.retry_job(job)
        extra = {"job": job.task_name, "jobId": job.id}
        _logger.warning("Job rescued from a dead worker", extra=extra)
