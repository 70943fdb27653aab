"""What the endpoints work with: made once by the application's lifespan, handed on by FastAPI."""

from dataclasses import dataclass
from typing import Annotated, TypedDict

import procrastinate
from fastapi import Depends, Request
from pydantic import HttpUrl

from backend.api.gate import AllowedHosts, Gate
from backend.api.jobs_page import Links
from backend.api.limits import Buckets
from backend.automation.store import Runs
from backend.jobs.queue import JobQueue, schedules
from backend.jobs.schedule import Schedules
from backend.notifications.contact_book import Contacts
from backend.notifications.store import Notifications
from backend.operations.health import HealthChecks
from backend.payments.store import Payments
from backend.platform.database import Pool
from backend.platform.encryption import Encryptor
from backend.platform.settings import ApiSettings


@dataclass(frozen=True, kw_only=True)
class Services:
    """What the endpoints of one process work with. Times are in seconds."""

    gate: Gate
    automation_sla: float
    worker_max_heartbeat_age: float
    links: Links
    schedules: Schedules
    pool: Pool
    health: HealthChecks
    payments: Payments
    runs: Runs
    notifications: Notifications
    contacts: Contacts


class LifespanState(TypedDict):
    """What the lifespan adds to the state of each request."""

    services: Services


def create_gate(settings: ApiSettings, buckets: Buckets) -> Gate:
    """Return the gate that the settings describe. Raises CallersError."""
    return Gate(
        callers=settings.callers(),
        internal_tokens=settings.internal_tokens(),
        internal_port=settings.internal_port,
        hosts=AllowedHosts(settings.allowed_hosts.split(",")),
        buckets=buckets,
        stranger_rate=settings.stranger_rate,
        stranger_burst=settings.stranger_burst,
    )


def create_services(
    settings: ApiSettings, gate: Gate, pool: Pool, health: HealthChecks, app: procrastinate.App
) -> Services:
    """Put the services together. Neither the pool nor ``app`` is opened here."""
    queue = JobQueue(app)
    encryptor = Encryptor(settings.data_keys())
    notifications = Notifications(pool, encryptor, queue.deliver_notification)
    return Services(
        gate=gate,
        automation_sla=settings.automation_sla_seconds,
        worker_max_heartbeat_age=settings.worker_max_heartbeat_age,
        links=Links(grafana=_base(settings.grafana_url), runbooks=_base(settings.runbooks_url)),
        schedules=schedules(settings),
        pool=pool,
        health=health,
        payments=Payments(pool, encryptor, notifications, queue.confirm_payment),
        runs=Runs(pool, encryptor, notifications, queue.run_automation),
        notifications=notifications,
        contacts=Contacts(
            pool=pool, encryptor=encryptor, allowed=tuple(settings.contact_patterns())
        ),
    )


def _base(url: HttpUrl | None) -> str | None:
    # What is appended begins with a slash; pydantic adds one to a bare host.
    return None if url is None else str(url).rstrip("/")


# A coroutine: FastAPI runs a plain function in a thread, which costs more than it.
async def get_services(request: Request) -> Services:
    services: Services = request.state.services
    return services


Provided = Annotated[Services, Depends(get_services)]
