"""Makes the Python module through which a user's service emits: one function an event."""

from __future__ import annotations

import json
from typing import Final

from glasshouse_cli.telemetry import known_values
from glasshouse_cli.telemetry.catalogue import Catalogue, Event, Field, Type

_HEAD: Final = '''\
"""Events of one's own. Made from telemetry/ by `glasshouse own`; copy it into the service.

One function emits one event. Its keywords are the event's fields; what may be None is left out.
"""

{imports}
from glasshouse import emit_event
'''
_TYPES: Final = {
    Type.STRING: "str",
    Type.INT: "int",
    Type.DOUBLE: "float",
    Type.BOOLEAN: "bool",
    Type.ENUM: "str",
}
_ERROR_TYPE: Final = "error.type"


def module(catalogue: Catalogue) -> str:
    """Return the module's text."""
    imports = "import logging\n" + ("from enum import StrEnum\n" if catalogue.enums else "")
    enums = "".join(f"\n\n{known_values.enum(one)}" for one in catalogue.enums)
    events = "".join(f"\n\n{_event(one)}" for one in catalogue.events)
    return _HEAD.format(imports=imports) + enums + events


def _event(event: Event) -> str:
    keywords = [_keyword(event, field) for field in sorted(event.fields, key=_optional_last)]
    passed = [f"{_name(event, field)}={_name(event, field)}" for field in event.fields]
    level = f"logging.{event.level.upper()}"
    if event.warning_if is not None:
        name, value = event.warning_if
        [field] = [one for one in event.fields if one.attribute.id == name]
        level = f"logging.WARNING if {_name(event, field)} == {json.dumps(value)} else {level}"
    arguments = [json.dumps(event.name), json.dumps(event.message), f"level={level}", *passed]
    brief = event.brief.replace("\\", "\\\\").replace('"', "'")
    return (
        f"def {event.function}(\n    *,\n"
        + "".join(f"    {one},\n" for one in keywords)
        + f') -> None:\n    """`{event.name}`: {brief}"""\n    emit_event(\n'
        + "".join(f"        {one},\n" for one in arguments)
        + "    )\n"
    )


def _optional_last(field: Field) -> bool:
    return not field.required


def _name(event: Event, field: Field) -> str:
    if field.attribute.id == _ERROR_TYPE:
        return "error_type"
    return event.keyword(field.attribute)


def _keyword(event: Event, field: Field) -> str:
    attribute = field.attribute
    closed = attribute.type is Type.ENUM and not attribute.open
    kind = attribute.class_name if closed else _TYPES[attribute.type]
    return f"{_name(event, field)}: {kind}{'' if field.required else ' | None = None'}"
