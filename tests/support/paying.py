"""A process that makes payments as the API does, and runs on until it is killed.

    python -m support.paying COUNT [hold]

Each payment is one line of JSON once it is committed. With ``hold`` the first one's transaction
stays open with its event in it; a line says so.
"""

import asyncio
import json
import sys
from decimal import Decimal
from typing import Any

from opentelemetry import context, trace

from backend.notifications.store import Notifications
from backend.payments.store import NewPayment, Payments
from backend.platform.database import Connection, create_pool
from backend.platform.encryption import Encryptor
from backend.platform.settings import DatabaseSettings, DataKeySettings
from backend.telemetry import outbox
from glasshouse import configure_logging
from glasshouse.acknowledged import PreparedEvent
from glasshouse.context import Ids, new_id, with_ids

USER = "zoe.kessler@mail.example"

# So that somebody can come between two of many.
PAUSE_S = 0.01

_tracer = trace.get_tracer("paying")


def _report(**line: Any) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


async def _nothing(_: object, connection: Connection) -> None:
    """Enqueue no job: there is nobody to run it."""


def hold() -> None:
    """Keep the next transaction open once its event is written."""
    add = outbox.add

    async def add_and_wait(event: PreparedEvent, connection: Connection) -> None:
        await add(event, connection)
        cursor = await connection.execute("SELECT id FROM event_outbox")
        _report(open=[str(row["id"]) for row in await cursor.fetchall()])
        await asyncio.Event().wait()

    outbox.add = add_and_wait


async def pay(count: int) -> None:
    """Make the payments; never return."""
    encryptor = Encryptor(DataKeySettings().data_keys())  # pyright: ignore[reportCallIssue]
    settings = DatabaseSettings()  # pyright: ignore[reportCallIssue]
    async with create_pool(settings, application="paying") as pool:
        notifications = Notifications(pool, encryptor, _nothing)
        payments = Payments(pool, encryptor, notifications, _nothing)
        for _ in range(count):
            await asyncio.sleep(PAUSE_S)
            ids = Ids(request=f"req-{new_id()}", correlation=f"cor-{new_id()}")
            token = context.attach(with_ids(ids))
            with _tracer.start_as_current_span("pay") as span:
                new = NewPayment(
                    owner="tests", user_id=USER, amount=Decimal("12.34"), currency="EUR"
                )
                made = await payments.create(new, None)
            context.detach(token)
            _report(
                payment=made.payment.id,
                trace=trace.format_trace_id(span.get_span_context().trace_id),
                request=ids.request,
                correlation=ids.correlation,
            )
        await asyncio.Event().wait()


if __name__ == "__main__":
    configure_logging()
    if "hold" in sys.argv:
        hold()
    asyncio.run(pay(int(sys.argv[1])))
