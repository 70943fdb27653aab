"""What each job does, and which errors it is retried after. Only workers import this module."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import procrastinate
from procrastinate.exceptions import JobRetry
from procrastinate.job_context import JobContext
from procrastinate.jobs import Job
from procrastinate.retry import BaseRetryStrategy, RetryDecision

from backend.automation.execution import Execution
from backend.automation.store import NewRun, RunId, Runs
from backend.automation.strategies import NIGHTLY_REPORT
from backend.jobs import queue
from backend.jobs.queue import (
    CONFIRM_PAYMENT,
    DELIVER_NOTIFICATION,
    JOBS,
    RUN_AUTOMATION,
    RUN_SCHEDULED_AUTOMATION,
    SWEEP_PAYMENTS,
    JobQueue,
)
from backend.jobs.schedule import Schedules
from backend.notifications.channels.base import TransientDeliveryError
from backend.notifications.delivery import Delivery
from backend.notifications.store import NotificationId
from backend.payments.chain import ChainError
from backend.payments.confirmation import Confirmation
from backend.payments.store import PaymentId, Payments
from backend.platform.database import UNAVAILABLE
from backend.platform.encryption import DecryptionError
from backend.platform.registry import Registry

SERVICES_KEY: Final = "services"

# Older than any payment whose job is only about to be written.
SWEEP_OLDER_THAN_S: Final = 30.0
SWEEP_LIMIT: Final = 500
# Whose runs the scheduled ones are.
SCHEDULER: Final = "scheduler"

LAST_RETRY_S: Final = 60
_TRANSIENT: Final = (*UNAVAILABLE, ChainError, TransientDeliveryError, DecryptionError)

Task = Callable[..., Awaitable[None]]
TASKS: Final = Registry[Task]("task", "backend.jobs.tasks")


class RetryTransient(BaseRetryStrategy):
    """Run a job again that its worker handed back, or that something lacked which may return.

    The pause doubles from a second on.
    """

    def __init__(self, max_attempts: int) -> None:
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
class WorkerServices:
    """What the tasks of a worker work with."""

    confirmation: Confirmation
    payments: Payments
    runs: Runs
    execution: Execution
    delivery: Delivery
    queue: JobQueue
    automation_sla: float


def create_app(schedules: Schedules) -> procrastinate.App:
    """Return a procrastinate app that runs the jobs, by these ``schedules``.

    Raises:
        UnregisteredError: a job has no task.
    """
    app = queue.create_app()
    for name, job in JOBS.items():
        retry = RetryTransient(job.max_attempts)
        app.task(name=name, retry=retry, pass_context=True)(TASKS[name])
    for name, schedule in schedules.items():
        app.periodic_registry.register_task(
            task=app.tasks[name], cron=schedule.cron, periodic_id="", configure_kwargs={}
        )
    return app


def task(name: str) -> Callable[[Task], Task]:
    """Make a function the task of a job. Raises UnregisteredError if there is no such job."""
    JOBS.require(name)
    return lambda function: TASKS.register(name, function)


def _services(context: JobContext) -> WorkerServices:
    services: WorkerServices = context.additional_context[SERVICES_KEY]
    return services


def _is_last_attempt(context: JobContext) -> bool:
    return context.job.attempts + 1 >= JOBS[context.job.task_name].max_attempts


@task(CONFIRM_PAYMENT)
async def confirm_payment(context: JobContext, *, payment_id: str) -> None:
    await _services(context).confirmation.confirm(
        PaymentId(payment_id), resumed=context.job.attempts > 0
    )


@task(SWEEP_PAYMENTS)
async def sweep_payments(context: JobContext, *, timestamp: int) -> None:
    services = _services(context)
    for payment_id in await services.payments.stuck(SWEEP_OLDER_THAN_S, SWEEP_LIMIT):
        await services.queue.pick_up_payment(payment_id)


@task(RUN_AUTOMATION)
async def run_automation(context: JobContext, *, run_id: str) -> None:
    await _services(context).execution.execute(
        RunId(run_id), last_attempt=_is_last_attempt(context)
    )


@task(RUN_SCHEDULED_AUTOMATION)
async def run_scheduled_automation(context: JobContext, *, timestamp: int) -> None:
    services = _services(context)
    run = NewRun(
        owner="",
        user_id=SCHEDULER,
        strategy=NIGHTLY_REPORT,
        sla=services.automation_sla,
        scheduled_for=datetime.fromtimestamp(timestamp, UTC),
    )
    await services.runs.request(run)


@task(DELIVER_NOTIFICATION)
async def deliver_notification(context: JobContext, *, notification_id: str) -> None:
    await _services(context).delivery.deliver(
        NotificationId(notification_id), last_attempt=_is_last_attempt(context)
    )
