"""Payments: the record, and every change of its row with its event."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, NamedTuple, NewType

from backend.notifications.contacts import Contact
from backend.notifications.store import Notifications
from backend.payments.money import format_amount
from backend.platform import people
from backend.platform.database import Connection, Enqueue, Pool, single_statement
from backend.platform.encryption import Encryptor
from backend.platform.queries import query, require
from backend.telemetry import events
from backend.telemetry.emitter import present
from backend.telemetry.known_values import PaymentState as State
from glasshouse import traced

PaymentId = NewType("PaymentId", str)
PAYMENT_ID_PATTERN: Final = r"^tx_[0-9a-f]{32}$"


class Failure(StrEnum):
    """Why a payment failed: its ``error.type``."""

    REVERTED = "reverted"
    CONFIRMATION_TIMEOUT = "confirmation_timeout"
    CHAIN_UNREACHABLE = "chain_unreachable"
    CHAIN_ERROR = "chain_error"


class IdempotencyConflictError(Exception):
    """The idempotency key was used before, with another body."""


@dataclass(frozen=True, kw_only=True)
class NewPayment:
    """A checked request to pay. ``amount`` has the minor digits of ``currency``.

    ``owner`` is the caller who asked for it, empty for none. ``contact`` is notified of how the
    payment ended; without one nobody is.
    """

    owner: str
    user_id: str
    amount: Decimal
    currency: str
    contact: Contact | None = None


@dataclass(frozen=True, kw_only=True)
class Payment:
    """One row. All times have a zone."""

    id: PaymentId
    owner: str
    user_id: str
    amount: Decimal
    currency: str
    state: State
    blockchain_tx_id: str | None
    error_type: str | None
    created_at: datetime
    submitted_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> "Payment":
        fields: dict[str, Any] = {name: row[name] for name in cls.__dataclass_fields__}
        fields["state"] = State(row["state"])
        return cls(**fields)

    @property
    def amount_text(self) -> str:
        """The amount as plain digits, such as ``10.50``."""
        return format_amount(self.amount, self.currency)

    @property
    def confirmation_delay(self) -> float | None:
        """Seconds from creation to confirmation, by the database's clock."""
        if self.state is not State.CONFIRMED or self.finished_at is None:
            return None
        return (self.finished_at - self.created_at).total_seconds()


class PaymentAge(NamedTuple):
    """Seconds since a payment's creation and since its submission; 0 if not submitted."""

    created: float
    submitted: float


@dataclass(frozen=True, kw_only=True)
class CreateResult:
    payment: Payment
    replayed: bool


class Payments:
    """The payments in Postgres.

    Each method is one transaction. An event is written in it, and only by the call that changed
    the row, so every method is safe to repeat. The notification of an end is written in the
    transaction of that end: one each, whatever crashes.
    """

    def __init__(
        self,
        pool: Pool,
        encryptor: Encryptor,
        notifications: Notifications,
        enqueue: Enqueue[PaymentId],
    ) -> None:
        self._pool = pool
        self._encryptor = encryptor
        self._notifications = notifications
        self._enqueue = enqueue

    @traced
    async def create(self, new: NewPayment, key: str | None) -> CreateResult:
        """Write a payment and enqueue its job, both or neither.

        With an idempotency ``key`` that its owner used before, return the payment made then.

        Raises:
            IdempotencyConflictError: the key belongs to a payment with another body.
        """
        digest = hashlib.sha256(key.encode()).digest() if key is not None else None
        contact = new.contact.as_dict() if new.contact else None
        async with self._pool.connection() as connection:
            payment_id = PaymentId(f"tx_{secrets.token_hex(16)}")
            cursor = await connection.execute(
                query("insert_payment"),
                {
                    "id": payment_id,
                    "owner": new.owner,
                    **people.sealed(self._encryptor, new.user_id, payment_id),
                    "amount": new.amount,
                    "currency": new.currency,
                    "idempotency_key": digest,
                    "contact_sealed": contact and self._encryptor.encrypt(contact, aad=payment_id),
                    "contact_digest": contact and self._encryptor.digest(contact),
                },
            )
            row = await cursor.fetchone()
            if row is None:
                return await self._replay(connection, new, digest)
            await self._enqueue(payment_id, connection)
            payment = self._read(row)
            await _emit(payment, connection)
        return CreateResult(payment=payment, replayed=False)

    async def _replay(
        self, connection: Connection, new: NewPayment, digest: bytes | None
    ) -> CreateResult:
        cursor = await connection.execute(
            query("payment_by_idempotency_key"), {"owner": new.owner, "idempotency_key": digest}
        )
        row = require(await cursor.fetchone(), "payment")
        payment = self._read(row)
        was = (payment.user_id, payment.amount, payment.currency)
        if was != (new.user_id, new.amount, new.currency) or not self._names_contact_of(row, new):
            raise IdempotencyConflictError
        return CreateResult(payment=payment, replayed=True)

    def _names_contact_of(self, row: dict[str, Any], new: NewPayment) -> bool:
        """Return whether a repeated request names the contact of the first, as far as is known.

        Once a payment has ended nothing is known of its contact.
        """
        if row["finished_at"] is not None:
            return True
        if new.contact is None or row["contact_digest"] is None:
            return new.contact is None and row["contact_digest"] is None
        return row["contact_digest"] in self._encryptor.digests(new.contact.as_dict())

    async def find(self, payment_id: PaymentId) -> Payment | None:
        return await self._payment("payment_by_id", id=payment_id)

    async def totals(self, owner: str, user_id: str) -> dict[str, Decimal]:
        """Return what an owner's user has paid, by currency: the sum of the confirmed payments."""
        digests = people.digests(self._encryptor, user_id)
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                query("payment_totals"), {"owner": owner, "digests": digests}
            )
            return {row["currency"]: row["total"] for row in await cursor.fetchall()}

    async def age(self, payment_id: PaymentId) -> PaymentAge:
        """Return how old the payment is, by the database's clock."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(query("payment_ages"), {"id": payment_id})
            row = require(await cursor.fetchone(), "payment")
        return PaymentAge(created=row["created"], submitted=row["submitted"] or 0.0)

    async def stuck(self, older_than: float, limit: int) -> list[PaymentId]:
        """Return open payments, oldest first, that no waiting or running job belongs to.

        ``older_than``: seconds since their creation. A younger one may not have its job yet.
        """
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                query("stuck_payments"), {"older_than": older_than, "limit": limit}
            )
            return [PaymentId(row["id"]) for row in await cursor.fetchall()]

    async def mark_submitted(self, payment_id: PaymentId, blockchain_tx_id: str) -> Payment | None:
        """Mark a created payment as submitted. ``None``: it was not in that state."""
        async with self._pool.connection() as connection:
            parameters = {"id": payment_id, "blockchain_tx_id": blockchain_tx_id}
            cursor = await connection.execute(query("submit_payment"), parameters)
            row = await cursor.fetchone()
            if row is None:
                return None
            payment = self._read(row)
            await _emit(payment, connection)
        return payment

    async def mark_confirmed(self, payment_id: PaymentId) -> Payment | None:
        """Mark a submitted payment as confirmed. ``None``: it was not in that state."""
        return await self._ended("confirm_payment", id=payment_id)

    async def mark_failed(
        self, payment_id: PaymentId, failure: Failure, *, from_state: State
    ) -> Payment | None:
        """Mark a payment as failed. ``None``: it was not in ``from_state``."""
        return await self._ended(
            "fail_payment",
            id=payment_id,
            error_type=failure,
            from_states=[from_state],
        )

    async def _ended(self, name: str, **parameters: Any) -> Payment | None:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(query(name), parameters)
            row = await cursor.fetchone()
            if row is None:
                return None
            payment = self._read(row)
            await _emit(payment, connection)
            await self._notifications.write_for(
                row["contact_sealed"],
                connection,
                aad=payment.id,
                owner=payment.owner,
                user_id=payment.user_id,
                template=f"payment_{payment.state}",
                data={
                    "amount": payment.amount_text,
                    "currency": payment.currency,
                    "transactionId": payment.id,
                },
            )
        return payment

    async def _payment(self, name: str, **parameters: Any) -> Payment | None:
        async with single_statement(self._pool) as connection:
            cursor = await connection.execute(query(name), parameters)
            row = await cursor.fetchone()
        return self._read(row) if row else None

    def _read(self, row: dict[str, Any]) -> Payment:
        return Payment.from_row(people.with_user(self._encryptor, row, row["id"]))


async def _emit(payment: Payment, connection: Connection) -> None:
    """Write the event of the state that the payment has reached."""
    match payment.state:
        case State.CREATED:
            await events.payment_created(
                connection,
                transaction_id=payment.id,
                user_id=payment.user_id,
                currency=payment.currency,
                amount=float(payment.amount),
            )
        case State.SUBMITTED:
            await events.payment_submitted(
                connection,
                transaction_id=payment.id,
                user_id=payment.user_id,
                currency=payment.currency,
                amount=float(payment.amount),
                blockchain_tx_id=present(payment.blockchain_tx_id),
            )
        case State.CONFIRMED:
            await events.payment_confirmed(
                connection,
                transaction_id=payment.id,
                user_id=payment.user_id,
                currency=payment.currency,
                amount=float(payment.amount),
                blockchain_tx_id=present(payment.blockchain_tx_id),
                confirmation_delay=present(payment.confirmation_delay),
            )
        case State.FAILED:
            await events.payment_failed(
                connection,
                transaction_id=payment.id,
                user_id=payment.user_id,
                currency=payment.currency,
                amount=float(payment.amount),
                blockchain_tx_id=payment.blockchain_tx_id,
                error_type=present(payment.error_type),
            )
