"""The events of the service. Made from `telemetry/` by `make telemetry`.

One function emits one event, in the transaction of a connection (see `emitter.emit`). Its keywords
are the event's fields; what may be None is left out.
"""

import logging
from typing import Final

from backend.platform.database import Connection
from backend.telemetry.emitter import Event, Field, emit
from backend.telemetry.known_values import (
    JobOutcome,
    NotificationDeliveryStatus,
)

_AUTOMATION_RUN_REQUESTED: Final = Event(
    name="automation.run.requested",
    message="Automation run requested",
    level=logging.INFO,
    fields={
        "session_id": Field(str, required=True),
        "user_id": Field(str, required=True),
        "strategy": Field(str, required=True),
        "run_id": Field(str, required=True),
    },
)


async def automation_run_requested(
    connection: Connection | None,
    *,
    session_id: str,
    user_id: str,
    strategy: str,
    run_id: str,
) -> None:
    """`automation.run.requested`: A run and its job are in the database."""
    await emit(
        _AUTOMATION_RUN_REQUESTED,
        connection,
        session_id=session_id,
        user_id=user_id,
        strategy=strategy,
        run_id=run_id,
    )


_AUTOMATION_RUN_COMPLETED: Final = Event(
    name="automation.run.completed",
    message="Automation run completed",
    level=logging.INFO,
    fields={
        "session_id": Field(str, required=True),
        "user_id": Field(str, required=True),
        "strategy": Field(str, required=True),
        "run_id": Field(str, required=True),
        "duration": Field(float, required=True),
        "within_sla": Field(bool, required=True),
    },
)


async def automation_run_completed(
    connection: Connection | None,
    *,
    session_id: str,
    user_id: str,
    strategy: str,
    run_id: str,
    duration: float,
    within_sla: bool,
) -> None:
    """`automation.run.completed`: Every step of the run has its result."""
    await emit(
        _AUTOMATION_RUN_COMPLETED,
        connection,
        session_id=session_id,
        user_id=user_id,
        strategy=strategy,
        run_id=run_id,
        duration=duration,
        within_sla=within_sla,
    )


_AUTOMATION_RUN_FAILED: Final = Event(
    name="automation.run.failed",
    message="Automation run failed",
    level=logging.WARNING,
    fields={
        "session_id": Field(str, required=True),
        "user_id": Field(str, required=True),
        "strategy": Field(str, required=True),
        "run_id": Field(str, required=True),
        "duration": Field(float, required=True),
        "within_sla": Field(bool, required=True),
        "error_type": Field(str, required=True),
    },
)


async def automation_run_failed(
    connection: Connection | None,
    *,
    session_id: str,
    user_id: str,
    strategy: str,
    run_id: str,
    duration: float,
    within_sla: bool,
    error_type: str,
) -> None:
    """`automation.run.failed`: A step of the run cannot be executed."""
    await emit(
        _AUTOMATION_RUN_FAILED,
        connection,
        session_id=session_id,
        user_id=user_id,
        strategy=strategy,
        run_id=run_id,
        duration=duration,
        within_sla=within_sla,
        error_type=error_type,
    )


_JOB_FINISHED: Final = Event(
    name="job.finished",
    message="Job finished",
    level=logging.INFO,
    fields={
        "id": Field(int, required=True),
        "name": Field(str, required=True),
        "schedule": Field(str),
        "next_run_at": Field(str),
        "outcome": Field(str, required=True, values=JobOutcome),
        "duration": Field(float),
        "attempt": Field(int, required=True),
        "error_type": Field(str),
    },
)


async def job_finished(
    connection: Connection | None,
    *,
    id: int,
    name: str,
    schedule: str | None = None,
    next_run_at: str | None = None,
    outcome: JobOutcome,
    duration: float | None = None,
    attempt: int,
    error_type: str | None = None,
) -> None:
    """`job.finished`: An execution of a job ended, whatever its outcome."""
    await emit(
        _JOB_FINISHED,
        connection,
        level=logging.WARNING if outcome == "failed" else logging.INFO,
        id=id,
        name=name,
        schedule=schedule,
        next_run_at=next_run_at,
        outcome=outcome,
        duration=duration,
        attempt=attempt,
        error_type=error_type,
    )


_NOTIFICATION_QUEUED: Final = Event(
    name="notification.queued",
    message="Notification queued",
    level=logging.INFO,
    fields={
        "id": Field(str, required=True),
        "user_id": Field(str, required=True),
        "channel": Field(str, required=True),
        "template": Field(str, required=True),
        "delivery_status": Field(str, required=True, values=NotificationDeliveryStatus),
    },
)


async def notification_queued(
    connection: Connection | None,
    *,
    id: str,
    user_id: str,
    channel: str,
    template: str,
    delivery_status: NotificationDeliveryStatus,
) -> None:
    """`notification.queued`: A notification and its job are in the database."""
    await emit(
        _NOTIFICATION_QUEUED,
        connection,
        id=id,
        user_id=user_id,
        channel=channel,
        template=template,
        delivery_status=delivery_status,
    )


_NOTIFICATION_DELIVERED: Final = Event(
    name="notification.delivered",
    message="Notification delivered",
    level=logging.INFO,
    fields={
        "id": Field(str, required=True),
        "user_id": Field(str, required=True),
        "channel": Field(str, required=True),
        "template": Field(str, required=True),
        "delivery_status": Field(str, required=True, values=NotificationDeliveryStatus),
    },
)


async def notification_delivered(
    connection: Connection | None,
    *,
    id: str,
    user_id: str,
    channel: str,
    template: str,
    delivery_status: NotificationDeliveryStatus,
) -> None:
    """`notification.delivered`: The mail server or provider has taken it."""
    await emit(
        _NOTIFICATION_DELIVERED,
        connection,
        id=id,
        user_id=user_id,
        channel=channel,
        template=template,
        delivery_status=delivery_status,
    )


_NOTIFICATION_FAILED: Final = Event(
    name="notification.failed",
    message="Notification failed",
    level=logging.WARNING,
    fields={
        "id": Field(str, required=True),
        "user_id": Field(str, required=True),
        "channel": Field(str, required=True),
        "template": Field(str, required=True),
        "delivery_status": Field(str, required=True, values=NotificationDeliveryStatus),
        "error_type": Field(str, required=True),
    },
)


async def notification_failed(
    connection: Connection | None,
    *,
    id: str,
    user_id: str,
    channel: str,
    template: str,
    delivery_status: NotificationDeliveryStatus,
    error_type: str,
) -> None:
    """`notification.failed`: It was refused, or no attempt succeeded."""
    await emit(
        _NOTIFICATION_FAILED,
        connection,
        id=id,
        user_id=user_id,
        channel=channel,
        template=template,
        delivery_status=delivery_status,
        error_type=error_type,
    )


_PAYMENT_CREATED: Final = Event(
    name="payment.created",
    message="Payment created",
    level=logging.INFO,
    fields={
        "transaction_id": Field(str, required=True),
        "user_id": Field(str, required=True),
        "currency": Field(str, required=True),
        "amount": Field(float, required=True),
    },
)


async def payment_created(
    connection: Connection | None,
    *,
    transaction_id: str,
    user_id: str,
    currency: str,
    amount: float,
) -> None:
    """`payment.created`: A payment and its job are in the database."""
    await emit(
        _PAYMENT_CREATED,
        connection,
        transaction_id=transaction_id,
        user_id=user_id,
        currency=currency,
        amount=amount,
    )


_PAYMENT_SUBMITTED: Final = Event(
    name="payment.submitted",
    message="Payment submitted to the chain",
    level=logging.INFO,
    fields={
        "transaction_id": Field(str, required=True),
        "user_id": Field(str, required=True),
        "currency": Field(str, required=True),
        "amount": Field(float, required=True),
        "blockchain_tx_id": Field(str, required=True),
    },
)


async def payment_submitted(
    connection: Connection | None,
    *,
    transaction_id: str,
    user_id: str,
    currency: str,
    amount: float,
    blockchain_tx_id: str,
) -> None:
    """`payment.submitted`: The chain has taken the payment's transaction."""
    await emit(
        _PAYMENT_SUBMITTED,
        connection,
        transaction_id=transaction_id,
        user_id=user_id,
        currency=currency,
        amount=amount,
        blockchain_tx_id=blockchain_tx_id,
    )


_PAYMENT_CONFIRMED: Final = Event(
    name="payment.confirmed",
    message="Payment confirmed",
    level=logging.INFO,
    fields={
        "transaction_id": Field(str, required=True),
        "user_id": Field(str, required=True),
        "currency": Field(str, required=True),
        "amount": Field(float, required=True),
        "blockchain_tx_id": Field(str, required=True),
        "confirmation_delay": Field(float, required=True),
    },
)


async def payment_confirmed(
    connection: Connection | None,
    *,
    transaction_id: str,
    user_id: str,
    currency: str,
    amount: float,
    blockchain_tx_id: str,
    confirmation_delay: float,
) -> None:
    """`payment.confirmed`: The chain has mined the transaction."""
    await emit(
        _PAYMENT_CONFIRMED,
        connection,
        transaction_id=transaction_id,
        user_id=user_id,
        currency=currency,
        amount=amount,
        blockchain_tx_id=blockchain_tx_id,
        confirmation_delay=confirmation_delay,
    )


_PAYMENT_FAILED: Final = Event(
    name="payment.failed",
    message="Payment failed",
    level=logging.WARNING,
    fields={
        "transaction_id": Field(str, required=True),
        "user_id": Field(str, required=True),
        "currency": Field(str, required=True),
        "amount": Field(float, required=True),
        "blockchain_tx_id": Field(str),
        "error_type": Field(str, required=True),
    },
)


async def payment_failed(
    connection: Connection | None,
    *,
    transaction_id: str,
    user_id: str,
    currency: str,
    amount: float,
    blockchain_tx_id: str | None = None,
    error_type: str,
) -> None:
    """`payment.failed`: The payment ended without a confirmation."""
    await emit(
        _PAYMENT_FAILED,
        connection,
        transaction_id=transaction_id,
        user_id=user_id,
        currency=currency,
        amount=amount,
        blockchain_tx_id=blockchain_tx_id,
        error_type=error_type,
    )
