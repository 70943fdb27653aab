"""What the endpoints work with: made once by the application's lifespan, handed on by FastAPI."""

from dataclasses import dataclass
from typing import Annotated, TypedDict

import procrastinate
from fastapi import Depends, Request
from pydantic import SecretStr

from backend.automation.store import Runs
from backend.jobs.queue import JobQueue, schedules
from backend.jobs.schedule import Schedules
from backend.notifications.store import Notifications
from backend.operations.health import HealthChecks
from backend.payments.store import Payments
from backend.platform.database import Pool
from backend.platform.encryption import Encryptor
from backend.platform.settings import ApiSettings


@dataclass(frozen=True, kw_only=True)
class Services:
    """What the endpoints of one process work with. Times are in seconds."""

    internal_token: SecretStr
    automation_sla: float
    worker_max_heartbeat_age: float
    schedules: Schedules
    pool: Pool
    health: HealthChecks
    payments: Payments
    runs: Runs
    notifications: Notifications


class LifespanState(TypedDict):
    """What the lifespan adds to the state of each request."""

    services: Services


def create_services(
    settings: ApiSettings, pool: Pool, health: HealthChecks, app: procrastinate.App
) -> Services:
    """Put the services together. Neither the pool nor ``app`` is opened here."""
    queue = JobQueue(app)
    encryptor = Encryptor(settings.data_keys())
    notifications = Notifications(pool, encryptor, queue.deliver_notification)
    return Services(
        internal_token=settings.internal_token(),
        automation_sla=settings.automation_sla_seconds,
        worker_max_heartbeat_age=settings.worker_max_heartbeat_age,
        schedules=schedules(settings),
        pool=pool,
        health=health,
        payments=Payments(pool, encryptor, notifications, queue.confirm_payment),
        runs=Runs(pool, encryptor, notifications, queue.run_automation),
        notifications=notifications,
    )


# A coroutine: FastAPI runs a plain function in a thread, which costs more than it.
async def get_services(request: Request) -> Services:
    services: Services = request.state.services
    return services


Provided = Annotated[Services, Depends(get_services)]
