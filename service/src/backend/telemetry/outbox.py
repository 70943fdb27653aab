"""The outbox: events that are committed with the change they report, and not sent yet.

`sending` sends them.
"""

import functools
import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from opentelemetry.instrumentation.utils import suppress_instrumentation

from backend.platform.database import Connection, after_commit
from backend.platform.queries import query
from glasshouse.acknowledged import PreparedEvent, announce_event, emit_prepared, is_exported

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_NANOSECONDS: Final = 1000  # of a microsecond


async def add(event: PreparedEvent, connection: Connection) -> None:
    """Write an event in the transaction of ``connection``; its console line follows the commit.

    Where logs are not sent over OTLP there is nobody to acknowledge it: it goes the way of all
    logs, after the commit.
    """
    if not is_exported():
        after_commit(connection, functools.partial(emit_prepared, event))
        return
    # A span of it would report telemetry, not the service.
    with suppress_instrumentation():
        await connection.execute(query("insert_event"), _row(event))
    after_commit(connection, functools.partial(announce_event, event))


def event_of(row: dict[str, Any]) -> PreparedEvent:
    """Return the event that a row holds."""
    return PreparedEvent(
        id=str(row["id"]),
        name=row["name"],
        message=row["message"],
        level=row["level"],
        time=(row["occurred_at"] - _EPOCH) // _MICROSECOND * _NANOSECONDS,
        attributes=row["attributes"],
        resource=row["resource"],
        traceparent=row["traceparent"],
    )


def _row(event: PreparedEvent) -> dict[str, Any]:
    return {
        "id": event.id,
        "occurred_at": _EPOCH + event.time // _NANOSECONDS * _MICROSECOND,
        "name": event.name,
        "message": event.message,
        "level": event.level,
        "attributes": json.dumps(dict(event.attributes), allow_nan=False),
        "resource": json.dumps(dict(event.resource)),
        "traceparent": event.traceparent,
    }
