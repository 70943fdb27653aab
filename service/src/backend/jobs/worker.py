"""The worker process: runs jobs until it is asked to stop."""

import contextlib
import logging
from collections.abc import AsyncIterator
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
from psycopg_pool import PoolTimeout

from backend.automation.execution import Execution
from backend.automation.store import Runs
from backend.automation.strategies import StepContext
from backend.jobs.heartbeat import INTERVAL_S as BEAT_INTERVAL_S
from backend.jobs.heartbeat import Heartbeat, worker_name
from backend.jobs.history import JobHistory
from backend.jobs.queue import JobQueue, schedules
from backend.jobs.retention import INTERVAL_S as RETENTION_INTERVAL_S
from backend.jobs.retention import Retention, statements
from backend.jobs.tasks import SERVICES_KEY, WorkerServices, create_app
from backend.notifications.channels.base import CHANNELS, Sender
from backend.notifications.delivery import Delivery
from backend.notifications.store import Notifications
from backend.payments.chain import TIMEOUT_S, Chain
from backend.payments.confirmation import Confirmation
from backend.payments.store import Payments
from backend.platform.database import RESCUE_LOCK, Pool, create_pool
from backend.platform.encryption import Encryptor
from backend.platform.error_tracking import report_failed_job
from backend.platform.periodic import every
from backend.platform.probe import INTERVAL_S as PROBE_INTERVAL_S
from backend.platform.probe import Probe
from backend.platform.queries import query
from backend.platform.settings import WorkerSettings
from backend.telemetry.sending import OutboxSender
from glasshouse.acknowledged import EventSender, is_exported

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
        by_clock = schedules(settings)
        app = create_app(by_clock)
        await app.open_async(pool)
        if not await app.check_connection_async():
            _logger.error("The database has no tables: run `backend migrate` first")
            return 1
        name = worker_name()
        history = JobHistory(pool, by_clock, name)
        heartbeat = Heartbeat(pool, name, alive_file=settings.alive_file)
        heartbeat.register(get_meter("backend"))
        retention = Retention(pool, statements(settings))
        async with (
            every(BEAT_INTERVAL_S, heartbeat.beat),
            every(BEAT_INTERVAL_S, heartbeat.pulse),
            _probing_api(settings, client),
            every(RESCUE_INTERVAL_S, lambda: rescue_stalled_jobs(app, pool, history)),
            every(RETENTION_INTERVAL_S, retention.apply),
            _sending_events(pool),
        ):
            code = await _work(app, settings, create_services(settings, app, pool, client), history)
        await heartbeat.stop()
        return code


@contextlib.asynccontextmanager
async def _probing_api(settings: WorkerSettings, client: httpx.AsyncClient) -> AsyncIterator[None]:
    """Ask the API whether it lives while the block runs, if its address is known."""
    if settings.api_probe_url is None:
        yield
        return
    probe = Probe(client, "api", str(settings.api_probe_url))
    probe.register(get_meter("backend"))
    async with every(PROBE_INTERVAL_S, probe.ask):
        yield


@contextlib.asynccontextmanager
async def _sending_events(pool: Pool) -> AsyncIterator[None]:
    """Send the events of the outbox while the block runs, if logs are sent at all."""
    if not is_exported():
        yield
        return
    sender = EventSender()
    try:
        async with OutboxSender(pool, sender.send).running():
            yield
    finally:
        sender.close()


def create_services(
    settings: WorkerSettings, app: procrastinate.App, pool: Pool, client: httpx.AsyncClient
) -> WorkerServices:
    """Put together what the tasks work with."""
    queue = JobQueue(app)
    encryptor = Encryptor(settings.data_keys())
    notifications = Notifications(pool, encryptor, queue.deliver_notification)
    payments = Payments(pool, encryptor, notifications, queue.confirm_payment)
    runs = Runs(pool, encryptor, notifications, queue.run_automation)
    chain = Chain(client, str(settings.chain_rpc_url))
    context = StepContext(pool=pool, chain=chain, payments=payments)
    return WorkerServices(
        confirmation=Confirmation(
            payments=payments,
            chain=chain,
            timeout=settings.payment_confirmation_timeout,
            poll_interval=settings.chain_poll_interval,
        ),
        payments=payments,
        runs=runs,
        execution=Execution(runs=runs, context=context),
        delivery=Delivery(notifications=notifications, senders=_senders(settings, client)),
        queue=queue,
        automation_sla=settings.automation_sla_seconds,
    )


def _senders(settings: WorkerSettings, client: httpx.AsyncClient) -> dict[str, Sender]:
    """Return a sender for each channel that is configured."""
    made = {name: channel.make_sender(settings, client) for name, channel in CHANNELS.items()}
    return {name: sender for name, sender in made.items() if sender is not None}


async def _work(
    app: procrastinate.App, settings: WorkerSettings, services: WorkerServices, history: JobHistory
) -> int:
    stopping = False
    worker = Worker(
        app,
        concurrency=settings.worker_concurrency,
        fetch_job_polling_interval=POLL_INTERVAL_S,
        shutdown_graceful_timeout=GRACEFUL_TIMEOUT_S,
        update_heartbeat_interval=HEARTBEAT_INTERVAL_S,
        stalled_worker_timeout=STALLED_AFTER_S,
        additional_context={SERVICES_KEY: services},
        worker_middleware=[history.report, report_failed_job],
        # Ours distinguish a stop on request from a worker that gave up.
        install_signal_handlers=False,
    )

    def stop() -> None:
        nonlocal stopping
        stopping = True
        worker.stop()

    with signals.on_stop(stop):
        _logger.info("Worker started", extra={"concurrency": settings.worker_concurrency})
        try:
            await worker.run()
        except ConnectorException:
            # Its jobs are rescued by another worker, or by this one's next start.
            _logger.error("The worker lost the database and ends")
            return 1
    _logger.info("Worker stopped")
    return 0 if stopping else 1


async def rescue_stalled_jobs(app: procrastinate.App, pool: Pool, history: JobHistory) -> None:
    """Put jobs back into the queue whose worker died without handing them back.

    Only one worker does so at a time: a second could put back what the first already runs.
    """
    try:
        with suppress_instrumentation():
            async with pool.connection() as connection:
                cursor = await connection.execute(query("try_rescue_lock"), {"key": RESCUE_LOCK})
                row = await cursor.fetchone()
                if row is not None and row["taken"]:
                    await _rescue(app.job_manager, history)
    except (ConnectorException, psycopg.Error) as error:
        _logger.warning(
            "Stalled jobs could not be rescued", extra={"error.type": type(error).__qualname__}
        )


async def _rescue(jobs: JobManager, history: JobHistory) -> None:
    for job in await jobs.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_S):
        await jobs.retry_job(job)
        await history.record_worker_lost(job)
        extra = {"job": job.task_name, "jobId": job.id}
        _logger.warning("Job rescued from a dead worker", extra=extra)
