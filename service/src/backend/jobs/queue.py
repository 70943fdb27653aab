"""The jobs that exist, and how one is enqueued.

What a job does is in `tasks`. The API imports this module and never that one, so that it does not
load what only a worker needs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import procrastinate
from procrastinate.exceptions import AlreadyEnqueued

from backend.automation.store import RunId
from backend.jobs.schedule import Schedule, Schedules
from backend.notifications.store import NotificationId
from backend.payments.store import PaymentId
from backend.platform.database import Connection
from backend.platform.registry import Registry
from backend.platform.settings import AutomationSettings

MAX_ATTEMPTS: Final = 10


@dataclass(frozen=True, kw_only=True)
class Job:
    """How a job is retried and scheduled. ``cron`` makes its expression from the settings."""

    max_attempts: int = MAX_ATTEMPTS
    cron: Callable[[AutomationSettings], str] | None = None


JOBS: Final = Registry[Job]("job", "backend.jobs.queue")


def _job(name: str, job: Job) -> str:
    JOBS.register(name, job)
    return name


# A task of the same name in `tasks` belongs to each.
CONFIRM_PAYMENT: Final = _job("confirm_payment", Job())
SWEEP_PAYMENTS: Final = _job("sweep_payments", Job(cron=lambda _: "* * * * *"))
# Six attempts are half a minute in all; then whoever waits for it is notified that it failed.
RUN_AUTOMATION: Final = _job("run_automation", Job(max_attempts=6))
RUN_SCHEDULED_AUTOMATION: Final = _job(
    "run_scheduled_automation", Job(cron=lambda settings: settings.automation_cron)
)
DELIVER_NOTIFICATION: Final = _job("deliver_notification", Job(max_attempts=6))


def schedules(settings: AutomationSettings) -> Schedules:
    """Return the schedules of the jobs that have one."""
    return {name: Schedule(job.cron(settings)) for name, job in JOBS.items() if job.cron}


def create_app() -> procrastinate.App:
    """Return a procrastinate app that can enqueue jobs, but run none. Open it with a pool."""
    return procrastinate.App(connector=procrastinate.PsycopgConnector())


class JobQueue:
    """Enqueues jobs inside a transaction of the caller."""

    def __init__(self, app: procrastinate.App) -> None:
        self._app = app

    async def confirm_payment(self, payment_id: PaymentId, connection: Connection) -> None:
        """Enqueue the job that confirms a payment; it exists once ``connection`` commits."""
        await self.enqueue(CONFIRM_PAYMENT, connection, payment_id=payment_id)

    async def run_automation(self, run_id: RunId, connection: Connection) -> None:
        """Enqueue the job that executes a run."""
        await self.enqueue(RUN_AUTOMATION, connection, run_id=run_id)

    async def deliver_notification(
        self, notification_id: NotificationId, connection: Connection
    ) -> None:
        """Enqueue the job that delivers a notification."""
        await self.enqueue(DELIVER_NOTIFICATION, connection, notification_id=notification_id)

    async def pick_up_payment(self, payment_id: PaymentId) -> None:
        """Enqueue a job for a payment that lost its own. At most one waits."""
        deferrer = self._app.configure_task(CONFIRM_PAYMENT, queueing_lock=f"pick up {payment_id}")
        try:
            await deferrer.defer_async(payment_id=payment_id)
        except AlreadyEnqueued:
            return

    async def enqueue(self, name: str, connection: Connection, **arguments: str) -> None:
        """Enqueue any job. Raises UnregisteredError if there is none of this name."""
        JOBS.require(name)
        await self._app.configure_task(name, connection=connection).defer_async(**arguments)
