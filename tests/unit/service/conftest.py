"""The API without Postgres, where payments live in a dictionary; and Postgres for the rest."""

import dataclasses
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import procrastinate
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from backend.api.app import create_app
from backend.api.dependencies import Services, create_gate, create_services, get_services
from backend.api.limits import LocalBuckets
from backend.jobs import queue
from backend.jobs.queue import JobQueue, schedules
from backend.jobs.schedule import Schedules
from backend.jobs.tasks import create_app as create_job_app
from backend.notifications.store import Notifications
from backend.operations.health import HealthChecks
from backend.payments.store import (
    CreateResult,
    Failure,
    IdempotencyConflictError,
    NewPayment,
    Payment,
    PaymentAge,
    PaymentId,
    State,
)
from backend.platform.database import Pool, create_pool
from backend.platform.encryption import Encryptor
from backend.platform.migrate import migrate
from backend.platform.settings import ApiSettings, AutomationSettings, DatabaseSettings
from glasshouse_cli import images
from support import postgres
from support.callers import AUTHORIZATION, CALLER, write

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MAX_BODY_BYTES = 2048
HOST = "backend"


def payment(number: int = 1, **changes: Any) -> Payment:
    fields: dict[str, Any] = {
        "id": PaymentId(f"tx_{number:032x}"),
        "owner": CALLER,
        "user_id": "alice",
        "amount": 1,
        "currency": "EUR",
        "state": State.CREATED,
        "blockchain_tx_id": None,
        "error_type": None,
        "created_at": NOW,
        "submitted_at": None,
        "finished_at": None,
    }
    return Payment(**fields | changes)


def _fields(new: NewPayment) -> dict[str, Any]:
    fields = dataclasses.asdict(new)
    del fields["contact"]
    return fields


class FakePayments:
    """Keeps the promises of `backend.payments.Payments`, in memory."""

    def __init__(self) -> None:
        self.rows: dict[str, Payment] = {}
        self.keys: dict[tuple[str, str], Payment] = {}
        self.changes: list[tuple[str, ...]] = []
        self.waited = 0.0
        self.error: Exception | None = None

    def add(self, row: Payment) -> Payment:
        self.rows[row.id] = row
        return row

    async def create(self, new: NewPayment, key: str | None) -> CreateResult:
        if self.error:
            raise self.error
        known = self.keys.get((new.owner, key)) if key else None
        if known:
            if _fields(new).items() <= dataclasses.asdict(known).items():
                return CreateResult(payment=known, replayed=True)
            raise IdempotencyConflictError
        row = self.add(payment(len(self.rows) + 1, **_fields(new)))
        if key:
            self.keys[new.owner, key] = row
        return CreateResult(payment=row, replayed=False)

    async def find(self, payment_id: PaymentId) -> Payment | None:
        return self.rows.get(payment_id)

    async def age(self, payment_id: PaymentId) -> PaymentAge:
        return PaymentAge(created=self.waited, submitted=self.waited)

    async def mark_submitted(self, payment_id: PaymentId, blockchain_tx_id: str) -> Payment | None:
        return self._change(
            payment_id, State.CREATED, state=State.SUBMITTED, blockchain_tx_id=blockchain_tx_id
        )

    async def mark_confirmed(self, payment_id: PaymentId) -> Payment | None:
        return self._change(payment_id, State.SUBMITTED, state=State.CONFIRMED)

    async def mark_failed(
        self, payment_id: PaymentId, failure: Failure, *, from_state: State
    ) -> Payment | None:
        return self._change(payment_id, from_state, state=State.FAILED, error_type=failure)

    def _change(self, payment_id: PaymentId, before: State, **changes: Any) -> Payment | None:
        row = self.rows[payment_id]
        if row.state is not before:
            return None
        self.changes.append((row.state, changes["state"]))
        return self.add(dataclasses.replace(row, **changes))


@pytest.fixture
def payments() -> FakePayments:
    return FakePayments()


@pytest.fixture
def settings(tmp_path: Path) -> ApiSettings:
    token = tmp_path / "token"
    token.write_text("0123456789abcdef\n")
    key = tmp_path / "data_key"
    key.write_text("k" * 32)
    callers = tmp_path / "callers"
    write(callers)
    return ApiSettings.model_validate(
        {
            "api_callers_file": callers,
            "allowed_hosts": HOST,
            "database_url": "postgresql://backend@127.0.0.1:1/backend",
            "database_password": "nothing",
            "internal_token_file": token,
            "data_key_file": key,
            "max_body_bytes": MAX_BODY_BYTES,
        }
    )


class Provided:
    """The services of an app whose lifespan does not run. A test may put others in their place."""

    def __init__(self, services: Services) -> None:
        self.services = services

    def replace(self, **changes: Any) -> None:
        self.services = dataclasses.replace(self.services, **changes)


@pytest.fixture
async def provided(settings: ApiSettings, payments: FakePayments) -> Provided:
    """Real services on a pool that is never opened, but for the payments."""
    pool = create_pool(settings, application="test")
    gate = create_gate(settings, LocalBuckets())
    services = create_services(settings, gate, pool, HealthChecks({}), queue.create_app())
    provided = Provided(services)
    provided.replace(payments=payments)
    return provided


@pytest.fixture
def app(settings: ApiSettings, provided: Provided) -> FastAPI:
    app = create_app(settings)
    app.dependency_overrides[get_services] = lambda: provided.services
    return app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url=f"http://{HOST}", headers=AUTHORIZATION
    ) as client:
        yield client


@pytest.fixture
async def stranger(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a key."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as client:
        yield client


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    """How to connect to a server of this run: installed programs, else a container."""
    folder = postgres.programs()
    if folder is not None:
        with postgres.installed(folder) as conninfo:
            yield conninfo
        return
    request.getfixturevalue("docker")
    checkout = request.getfixturevalue("project")
    image = images.resolve(["postgres"], checkout=checkout)["POSTGRES_IMAGE"]
    with postgres.contained(image) as conninfo:
        yield conninfo


@pytest.fixture
def empty(server: str) -> DatabaseSettings:
    """A database of this test's own, without tables."""
    return postgres.new_database(server)


@pytest.fixture
async def pool(empty: DatabaseSettings) -> AsyncIterator[Pool]:
    """A pool on a database of this test's own, with all tables."""
    migrate(empty)
    async with create_pool(empty, application="test") as pool:
        yield pool


def scheduled(automation_cron: str = "0 2 * * *") -> Schedules:
    return schedules(AutomationSettings.model_validate({"automation_cron": automation_cron}))


@pytest.fixture
def encryptor() -> Encryptor:
    return Encryptor(SecretStr("v" * 32))


@pytest.fixture
async def jobs(pool: Pool) -> procrastinate.App:
    app = create_job_app({})
    await app.open_async(pool)
    return app


@pytest.fixture
def notifications(pool: Pool, encryptor: Encryptor, jobs: procrastinate.App) -> Notifications:
    return Notifications(pool, encryptor, JobQueue(jobs).deliver_notification)
