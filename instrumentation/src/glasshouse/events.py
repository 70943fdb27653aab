"""Business events: log records with an event name, a human body and flat attributes.

A field of event ``payment.created`` is called ``transaction_id`` in code,
``payment.transaction_id`` over OTLP, and ``transactionId`` on the console.
"""

import functools
import logging
import re
from collections.abc import Mapping
from typing import Any, Final

from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE

from glasshouse.capture import export, show
from glasshouse.capture.counting import count_lost
from glasshouse.pseudonym import user_pseudonym

EVENT_NAME_ATTRIBUTE: Final = "otel.event.name"
# Loki drops a record's event name, so it travels as an attribute too.
EVENT_ATTRIBUTE: Final = "event"
_UNDERSCORE: Final = re.compile(r"_([a-z0-9])")

_DECIMALS: Final = 6

LOGGER: Final = "glasshouse.events"
_logger = logging.getLogger(LOGGER)

FieldValue = str | int | float | bool | None


def domain_of(event: str) -> str:
    """Return the first part of an event's name: ``payment`` of ``payment.created``."""
    return event.partition(".")[0]


# Names come from code, so they are few.
@functools.lru_cache(maxsize=1024)
def attribute_name(event: str, field: str) -> str:
    """Return the OTLP name of a field: ``user_id`` becomes ``payment.user_id``."""
    return f"{domain_of(event)}.{field}"


@functools.lru_cache(maxsize=1024)
def field_name(event: str, attribute: str) -> str:
    """Return the console name of an OTLP attribute: camelCase, without the event's domain.

    The console has no domain to distinguish ids and names, so there ``job.id`` is ``jobId``,
    ``job.name`` is ``job`` and ``automation.session_id`` is ``automationSessionId``. An attribute
    of another domain stays as it is.
    """
    domain = domain_of(event)
    if not attribute.startswith(f"{domain}."):
        return attribute
    field = attribute.removeprefix(f"{domain}.")
    name = {
        "id": f"{domain}_id",
        "name": domain,
        "session_id": f"{domain}_session_id",
    }.get(field, field)
    return _UNDERSCORE.sub(lambda match: match[1].upper(), name)


def _outgoing(field: str, value: str | int | float) -> str | int | float:
    if field == "user_id":
        return user_pseudonym(str(value))
    if isinstance(value, float):
        # Digits below a microsecond are noise, and long enough to look like a card.
        return round(value, _DECIMALS)
    return value


def emit_event(
    name: str,
    message: str,
    /,
    *,
    level: int | None = None,
    error_type: str | None = None,
    **fields: FieldValue,
) -> None:
    """Emit one business event through standard library logging.

    emit_event("payment.confirmed", "Payment confirmed", transaction_id=tx, confirmation_delay=1.8)

    Args:
        name: ``<domain>.<what happened>``, from a fixed list.
        message: for people; a constant, so that no value can slip into it.
        level: a level of `logging`; by default WARNING for what failed, else INFO.
        error_type: becomes ``error.type``; a class of failure, not its text.
        fields: snake_case names, without the domain. ``None`` is left out. ``user_id`` leaves as a
            pseudonym only.

    An event is data: it is exported whatever the level of logging is, and whoever has set logging
    up since. The console shows it as it shows any record. Nothing is raised.
    """
    if level is None:
        level = level_of(name)
    try:
        found = attributes(name, error_type=error_type, fields=fields)
        record = record_of(name, message, level, found)
    except Exception:  # noqa: BLE001 (an event never costs the caller its own work)
        count_lost()
        return
    export(record)
    show_event(record)


def level_of(event: str) -> int:
    """Return the level of an event whose emitter names none."""
    return logging.WARNING if event.endswith(".failed") else logging.INFO


def attributes(
    event: str, *, error_type: str | None, fields: Mapping[str, FieldValue]
) -> dict[str, Any]:
    """Return an event's attributes by their OTLP names, with pseudonyms, without its event name."""
    found: dict[str, Any] = {EVENT_ATTRIBUTE: event}
    for field, value in fields.items():
        if value is not None:
            found[attribute_name(event, field)] = _outgoing(field, value)
    if error_type is not None:
        found[ERROR_TYPE] = error_type
    return found


def record_of(
    event: str, message: str, level: int, attributes: Mapping[str, Any]
) -> logging.LogRecord:
    """Return an event of now as a record of the standard library."""
    extra = {EVENT_NAME_ATTRIBUTE: event, **attributes}
    return _logger.makeRecord(LOGGER, level, __file__, 0, message, (), None, "emit_event", extra)


def show_event(record: logging.LogRecord) -> None:
    """Hand an event's record to the console and other handlers, without exporting it."""
    # Not `_logger.disabled`, which the set-up of logging leaves behind for loggers made before it.
    if (
        record.levelno >= _logger.getEffectiveLevel()
        and record.levelno > logging.root.manager.disable
    ):
        show(_logger, record)
