"""Checks an event against the catalogue, and emits it. Called by the functions of `events`."""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar, cast

from backend.platform.database import Connection
from backend.telemetry import outbox
from glasshouse.acknowledged import PreparedEvent, emit_prepared, prepare_event

STRICT_VARIABLE: Final = "BACKEND_STRICT_EVENTS"

_logger = logging.getLogger(__name__)
_reported: set[str] = set()

_T = TypeVar("_T")
Value = str | int | float | bool | None


@dataclass(frozen=True)
class Field:
    """What a field must be. ``values``: the only ones that it may have."""

    kind: type[str | int | float | bool]
    required: bool = False
    values: type[StrEnum] | None = None

    def fault(self, value: object) -> str | None:
        """Return what is wrong with a value, without the value."""
        if value is None:
            return "is missing" if self.required else None
        if not self._is_of_kind(value):
            return f"is {type(value).__qualname__}, not {self.kind.__qualname__}"
        if self.values is not None and value not in tuple(self.values):
            return f"is none of {', '.join(self.values)}"
        return None

    def _is_of_kind(self, value: object) -> bool:
        if isinstance(value, bool):
            return self.kind is bool
        return isinstance(value, int | float if self.kind is float else self.kind)


@dataclass(frozen=True, kw_only=True)
class Event:
    """What the catalogue says of an event."""

    name: str
    message: str
    level: int
    fields: Mapping[str, Field]


class EventError(TypeError):
    """An event is not what the catalogue says. Raised only where BACKEND_STRICT_EVENTS is 1."""


async def emit(
    event: Event, connection: Connection | None, *, level: int | None = None, **values: Value
) -> None:
    """Emit an event without the fields that are wrong; each of those is logged once.

    It becomes a row of the outbox in the transaction of ``connection``: it is sent if and when
    that commits, and as often as it takes. Without a connection, for what changes no row, it is
    handed to the exporter's buffer at once, and is lost with a killed process.

    Nothing of the event is raised into the application, unless BACKEND_STRICT_EVENTS is 1: then an
    `EventError`.

    Raises:
        psycopg.Error: the database failed. The transaction is aborted, as by any statement.
    """
    faults = {name: event.fields[name].fault(value) for name, value in values.items()}
    for name, fault in faults.items():
        if fault is not None:
            _report(event, name, f"{name} {fault}")
    sent = {name: value for name, value in values.items() if faults[name] is None}
    prepared = _prepare(event, event.level if level is None else level, sent)
    if prepared is None:
        return
    if connection is None:
        emit_prepared(prepared)
    else:
        await outbox.add(prepared, connection)


def present(value: _T | None) -> _T:
    """Say that a value is there: its row cannot be without. `emit` reports one that is not."""
    return cast(_T, value)


def _prepare(event: Event, level: int, values: Mapping[str, Value]) -> PreparedEvent | None:
    try:
        return prepare_event(
            event.name,
            event.message,
            level=level,
            **values,  # pyright: ignore[reportArgumentType]  # none of them is the error's type
        )
    except Exception as error:  # telemetry must not end what it reports
        if _is_strict():
            raise
        _report_once(event, f"cannot be emitted: {type(error).__qualname__}")
        return None


def _report(event: Event, field: str, fault: str) -> None:
    if _is_strict():
        raise EventError(
            f"{event.name}: {fault}: see telemetry/{event.name.partition('.')[0]}.yaml"
        )
    _report_once(event, fault)


def _report_once(event: Event, fault: str) -> None:
    line = f"{event.name}: {fault}"
    if line in _reported:
        return
    _reported.add(line)
    _logger.error("An event is not what the catalogue says", extra={"event.fault": line})


def _is_strict() -> bool:
    return os.environ.get(STRICT_VARIABLE) == "1"
