"""Automation: sessions, runs and steps, and their events."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NewType

from psycopg.types.json import Jsonb

from backend.notifications.contacts import Contact
from backend.notifications.store import Notifications
from backend.platform import people
from backend.platform.database import Connection, Enqueue, Pool
from backend.platform.encryption import Encryptor
from backend.platform.queries import query, require
from backend.telemetry import events
from backend.telemetry.emitter import present
from backend.telemetry.known_values import AutomationState as RunState
from glasshouse import traced

RunId = NewType("RunId", str)
RUN_ID_PATTERN: Final = r"^run_[0-9a-f]{32}$"
SESSION_ID_PATTERN: Final = r"^as_[0-9a-f]{32}$"


@dataclass(frozen=True, kw_only=True)
class NewRun:
    """A checked request to run a strategy.

    ``owner`` is the caller who asked for it, empty for none. ``sla`` is in seconds. ``contact`` is
    notified when the run is complete. ``scheduled_for`` is the slot that a scheduled run fills.
    """

    owner: str
    user_id: str
    strategy: str
    sla: float
    contact: Contact | None = None
    scheduled_for: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Run:
    """One row with its session. All times have a zone."""

    id: RunId
    session_id: str
    owner: str
    user_id: str
    strategy: str
    state: RunState
    sla_seconds: float
    within_sla: bool | None
    error_type: str | None
    requested_at: datetime
    finished_at: datetime | None

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> "Run":
        fields: dict[str, Any] = {name: row[name] for name in cls.__dataclass_fields__}
        fields["state"] = RunState(row["state"])
        return cls(**fields)

    @property
    def duration(self) -> float | None:
        """Seconds from the request to the end, by the database's clock."""
        if self.finished_at is None:
            return None
        return (self.finished_at - self.requested_at).total_seconds()


@dataclass(frozen=True, kw_only=True)
class StepResult:
    name: str
    result: dict[str, Any]


class Runs:
    """The runs in Postgres.

    Each method is one transaction. An event is written in it, and only by the call that changed
    the row.
    """

    def __init__(
        self,
        pool: Pool,
        encryptor: Encryptor,
        notifications: Notifications,
        enqueue: Enqueue[RunId],
    ) -> None:
        self._pool = pool
        self._encryptor = encryptor
        self._notifications = notifications
        self._enqueue = enqueue

    @traced
    async def request(self, new: NewRun) -> Run | None:
        """Write a run and enqueue its job, both or neither. ``None``: its slot was filled."""
        run_id = RunId(f"run_{secrets.token_hex(16)}")
        contact = new.contact.as_dict() if new.contact else None
        async with self._pool.connection() as connection:
            session = await self._session(new, connection)
            written = await _one(
                connection,
                "insert_run",
                id=run_id,
                session_id=session,
                sla_seconds=new.sla,
                contact_sealed=contact and self._encryptor.encrypt(contact, aad=run_id),
                scheduled_for=new.scheduled_for,
            )
            if written is None:
                return None
            await self._enqueue(run_id, connection)
            row = await _one(connection, "run_by_id", id=run_id)
            run = self._read(require(row, "run"))
            await _emit(run, connection)
        return run

    async def _session(self, new: NewRun, connection: Connection) -> str:
        """Return the id of the user's session of a strategy, made at its first run."""
        digests = people.digests(self._encryptor, new.user_id)
        known = {"owner": new.owner, "strategy": new.strategy}
        if len(digests) > 1:
            # While a key is changed two processes may not make it under two keys.
            lock = int.from_bytes(min(digests)[:8], signed=True)
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", [lock])
        row = await _one(connection, "automation_session", digests=digests, **known)
        if row is None:
            identifier = f"as_{secrets.token_hex(16)}"
            row = await _one(
                connection,
                "insert_automation_session",
                id=identifier,
                **known,
                **people.sealed(self._encryptor, new.user_id, identifier),
            )
        return require(row, "session")["id"]

    async def find(self, run_id: RunId) -> Run | None:
        async with self._pool.connection() as connection:
            row = await _one(connection, "run_by_id", id=run_id)
        return self._read(row) if row else None

    def _read(self, row: dict[str, Any]) -> Run:
        return Run.from_row(people.with_user(self._encryptor, row, row["session_id"]))

    async def steps(self, run_id: RunId) -> list[StepResult]:
        """Return the finished steps, in order."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(query("run_steps"), {"id": run_id})
            return [StepResult(**row) for row in await cursor.fetchall()]

    async def record_step(self, run_id: RunId, position: int, step: StepResult) -> None:
        """Keep a step's result. The first one recorded counts."""
        async with self._pool.connection() as connection:
            await connection.execute(
                query("insert_step"),
                {
                    "run_id": run_id,
                    "position": position,
                    "name": step.name,
                    "result": Jsonb(step.result),
                },
            )

    async def mark_completed(self, run_id: RunId) -> Run | None:
        """Mark a requested run as completed. ``None``: it had ended before."""
        return await self._ended(run_id, RunState.COMPLETED, None)

    async def mark_failed(self, run_id: RunId, error_type: str) -> Run | None:
        """Mark a requested run as failed. ``None``: it had ended before."""
        return await self._ended(run_id, RunState.FAILED, error_type)

    async def _ended(self, run_id: RunId, state: RunState, error_type: str | None) -> Run | None:
        async with self._pool.connection() as connection:
            row = await _one(connection, "end_run", id=run_id, state=state, error_type=error_type)
            if row is None:
                return None
            run = self._read(row)
            await _emit(run, connection)
            if state is RunState.COMPLETED:
                await self._notifications.write_for(
                    row["contact_sealed"],
                    connection,
                    aad=run.id,
                    owner=run.owner,
                    user_id=run.user_id,
                    template="run_completed",
                    data={"strategy": run.strategy, "runId": run.id},
                )
        return run


async def _one(connection: Connection, name: str, **parameters: Any) -> dict[str, Any] | None:
    cursor = await connection.execute(query(name), parameters)
    return await cursor.fetchone()


async def _emit(run: Run, connection: Connection) -> None:
    """Write the event of the state that the run has reached."""
    match run.state:
        case RunState.REQUESTED:
            await events.automation_run_requested(
                connection,
                session_id=run.session_id,
                user_id=run.user_id,
                strategy=run.strategy,
                run_id=run.id,
            )
        case RunState.COMPLETED:
            await events.automation_run_completed(
                connection,
                session_id=run.session_id,
                user_id=run.user_id,
                strategy=run.strategy,
                run_id=run.id,
                duration=present(run.duration),
                within_sla=present(run.within_sla),
            )
        case RunState.FAILED:
            await events.automation_run_failed(
                connection,
                session_id=run.session_id,
                user_id=run.user_id,
                strategy=run.strategy,
                run_id=run.id,
                duration=present(run.duration),
                within_sla=present(run.within_sla),
                error_type=present(run.error_type),
            )
