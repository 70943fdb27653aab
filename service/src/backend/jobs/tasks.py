"""Jobs in Postgres: the procrastinate app, its tasks, and how a failing job goes on."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, cast

import procrastinate
import psycopg
from procrastinate.exceptions import AlreadyEnqueued, JobRetry
from procrastinate.job_context import JobContext
from procrastinate.jobs import Job
from procrastinate.retry import BaseRetryStrategy, RetryDecision
from psycopg_pool import PoolTimeout, TooManyRequests

from backend.automation.execution import Execution
from backend.automation.store import NewRun, RunId, Runs
from backend.automation.strategies import NIGHTLY_REPORT
from backend.jobs.schedule import Schedule, Schedules
from backend.notifications.channels import TransientDeliveryError
from backend.notifications.delivery import Delivery
from backend.notifications.store import NotificationId
from backend.payments.chain import ChainError
from backend.payments.confirmation import Confirmation
from backend.payments.store import PaymentId, Payments
from backend.platform.database import Connection
from backend.platform.encryption import UnsealError

CONFIRM_PAYMENT: Final = "confirm_payment"
SWEEP_PAYMENTS: Final = "sweep_payments"
RUN_AUTOMATION: Final = "run_automation"
RUN_SCHEDULED_AUTOMATION: Final = "run_scheduled_automation"
DELIVER_NOTIFICATION: Final = "deliver_notification"
JOB_NAMES: Final = (
    CONFIRM_PAYMENT,
    SWEEP_PAYMENTS,
    RUN_AUTOMATION,
    RUN_SCHEDULED_AUTOMATION,
    DELIVER_NOTIFICATION,
)
DUTIES_KEY: Final = "duties"

SWEEP_CRON: Final = "* * * * *"
# Older than any payment whose job is only about to be written.
SWEEP_OLDER_THAN_S: Final = 30.0
SWEEP_LIMIT: Final = 500
# Whose runs the scheduled ones are.
SCHEDULER: Final = "scheduler"

MAX_ATTEMPTS: Final = 10
# Half a minute in all; then whoever waits for it is told that it failed.
RUN_ATTEMPTS: Final = 6
DELIVERY_ATTEMPTS: Final = 6
LAST_RETRY_S: Final = 60
_TRANSIENT: Final = (
    psycopg.OperationalError,
    PoolTimeout,
    TooManyRequests,
    ChainError,
    TransientDeliveryError,
    UnsealError,
)


class RetryTransient(BaseRetryStrategy):
    """Run a job again that its worker handed back, or that something lacked which may return.

    The pause doubles from a second on.
    """

    def __init__(self, max_attempts: int = MAX_ATTEMPTS) -> None:
        self.max_attempts = max_attempts

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if isinstance(exception, asyncio.CancelledError):
            return RetryDecision()
        if isinstance(exception, JobRetry):
            return exception.retry_decision
        if isinstance(exception, _TRANSIENT) and job.attempts + 1 < self.max_attempts:
            return RetryDecision(retry_in={"seconds": min(2**job.attempts, LAST_RETRY_S)})
        return None


@dataclass(frozen=True, kw_only=True)
class Duties:
    """What the tasks of a worker work with."""

    confirmation: Confirmation
    payments: Payments
    runs: Runs
    execution: Execution
    delivery: Delivery
    queue: "JobQueue"
    automation_sla: float


def _duties(context: JobContext) -> Duties:
    return cast(Duties, context.additional_context[DUTIES_KEY])


def schedules(automation_cron: str) -> Schedules:
    """Return the jobs that run by the clock."""
    return {
        SWEEP_PAYMENTS: Schedule(SWEEP_CRON),
        RUN_SCHEDULED_AUTOMATION: Schedule(automation_cron),
    }


def create_app(by_clock: Schedules | None = None) -> procrastinate.App:
    """Return a procrastinate app with all tasks. It is opened with a pool of `database`.

    ``by_clock``: the schedules it is to keep; none in a process that runs no jobs.
    """
    app = procrastinate.App(connector=procrastinate.PsycopgConnector())
    retry = RetryTransient()

    @app.task(name=CONFIRM_PAYMENT, retry=retry, pass_context=True)
    async def confirm_payment(context: JobContext, *, payment_id: str) -> None:
        await _duties(context).confirmation.settle(
            PaymentId(payment_id), again=context.job.attempts > 0
        )

    @app.task(name=RUN_AUTOMATION, retry=RetryTransient(RUN_ATTEMPTS), pass_context=True)
    async def run_automation(context: JobContext, *, run_id: str) -> None:
        last = context.job.attempts + 1 >= RUN_ATTEMPTS
        await _duties(context).execution.execute(RunId(run_id), last_attempt=last)

    @app.task(name=DELIVER_NOTIFICATION, retry=RetryTransient(DELIVERY_ATTEMPTS), pass_context=True)
    async def deliver_notification(context: JobContext, *, notification_id: str) -> None:
        last = context.job.attempts + 1 >= DELIVERY_ATTEMPTS
        await _duties(context).delivery.deliver(NotificationId(notification_id), last_attempt=last)

    @app.task(name=SWEEP_PAYMENTS, retry=retry, pass_context=True)
    async def sweep_payments(context: JobContext, *, timestamp: int) -> None:
        duties = _duties(context)
        for payment_id in await duties.payments.stuck(SWEEP_OLDER_THAN_S, SWEEP_LIMIT):
            await duties.queue.pick_up_payment(payment_id)

    @app.task(name=RUN_SCHEDULED_AUTOMATION, retry=retry, pass_context=True)
    async def run_scheduled_automation(context: JobContext, *, timestamp: int) -> None:
        duties = _duties(context)
        run = NewRun(
            user_id=SCHEDULER,
            strategy=NIGHTLY_REPORT,
            sla=duties.automation_sla,
            scheduled_for=datetime.fromtimestamp(timestamp, UTC),
        )
        await duties.runs.request(run, duties.queue.run_automation)

    for name, schedule in (by_clock or {}).items():
        app.periodic_registry.register_task(
            task=app.tasks[name], cron=schedule.cron, periodic_id="", configure_kwargs={}
        )
    return app


class JobQueue:
    """Enqueues jobs inside a transaction of the caller."""

    def __init__(self, app: procrastinate.App) -> None:
        self._app = app

    async def confirm_payment(self, payment_id: PaymentId, connection: Connection) -> None:
        """Enqueue the job that settles a payment; it exists once ``connection`` commits."""
        await self._defer(CONFIRM_PAYMENT, connection, payment_id=payment_id)

    async def run_automation(self, run_id: RunId, connection: Connection) -> None:
        """Enqueue the job that executes a run."""
        await self._defer(RUN_AUTOMATION, connection, run_id=run_id)

    async def deliver_notification(
        self, notification_id: NotificationId, connection: Connection
    ) -> None:
        """Enqueue the job that delivers a notification."""
        await self._defer(DELIVER_NOTIFICATION, connection, notification_id=notification_id)

    async def pick_up_payment(self, payment_id: PaymentId) -> None:
        """Enqueue a job for a payment that lost its own. At most one waits."""
        deferrer = self._app.configure_task(
            CONFIRM_PAYMENT, allow_unknown=False, queueing_lock=f"pick up {payment_id}"
        )
        try:
            await deferrer.defer_async(payment_id=payment_id)
        except AlreadyEnqueued:
            return

    async def _defer(self, task: str, connection: Connection, **arguments: str) -> None:
        deferrer = self._app.configure_task(task, allow_unknown=False, connection=connection)
        await deferrer.defer_async(**arguments)
