"""Makes the Python module through which the service emits: one function an event."""

from __future__ import annotations

import json
from typing import Final

from glasshouse_cli.telemetry.catalogue import Attribute, Catalogue, Event, Field, Type

_HEAD: Final = '''"""The events of the service. Made from `telemetry/` by `make telemetry`.

One function emits one event, in the transaction of a connection (see `emitter.emit`). Its keywords
are the event's fields; what may be None is left out.
"""

import logging
from typing import Final

from backend.platform.database import Connection
from backend.telemetry.emitter import Event, Field, emit
'''
_TYPES: Final = {
    Type.STRING: "str",
    Type.INT: "int",
    Type.DOUBLE: "float",
    Type.BOOLEAN: "bool",
    Type.ENUM: "str",
}


def module(catalogue: Catalogue) -> str:
    """Return the module's text."""
    used = {
        field.attribute.class_name
        for event in catalogue.events
        for field in event.fields
        if _is_closed(field.attribute)
    }
    enums = "".join(f"    {name},\n" for name in sorted(used))
    imports = f"from backend.telemetry.known_values import (\n{enums})\n" if used else ""
    return _HEAD + imports + "\n" + "\n\n".join(_event(one) for one in catalogue.events)


def _event(event: Event) -> str:
    constant = f"_{event.function.upper()}"
    fields = "".join(_specification(event, one) for one in event.fields)
    keywords = "".join(_keyword(event, one) for one in event.fields)
    names = [event.keyword(one.attribute) for one in event.fields]
    passed = "".join(f"        {name}={name},\n" for name in names)
    level = ""
    if event.warning_if:
        name, value = event.warning_if
        [keyword] = [event.keyword(f.attribute) for f in event.fields if f.attribute.id == name]
        level = (
            f'        level=logging.WARNING if {keyword} == "{value}" '
            f"else logging.{event.level.upper()},\n"
        )
    return (
        f"{constant}: Final = Event(\n"
        f'    name="{event.name}",\n'
        f"    message={_text(event.message)},\n"
        f"    level=logging.{event.level.upper()},\n"
        f"    fields={{\n{fields}    }},\n"
        ")\n\n\n"
        f"async def {event.function}(\n"
        f"    connection: Connection | None,\n    *,\n{keywords}) -> None:\n"
        f'    """`{event.name}`: {_docstring(event.brief)}"""\n'
        f"    await emit(\n        {constant},\n        connection,\n{level}{passed}    )\n"
    )


def _specification(event: Event, field: Field) -> str:
    attribute = field.attribute
    required = ", required=True" if field.required else ""
    values = f", values={attribute.class_name}" if _is_closed(attribute) else ""
    name = event.keyword(attribute)
    return f'        "{name}": Field({_TYPES[attribute.type]}{required}{values}),\n'


def _keyword(event: Event, field: Field) -> str:
    attribute = field.attribute
    kind = attribute.class_name if _is_closed(attribute) else _TYPES[attribute.type]
    return f"    {event.keyword(attribute)}: {kind}{'' if field.required else ' | None = None'},\n"


def _is_closed(attribute: Attribute) -> bool:
    return attribute.type is Type.ENUM and not attribute.open


def _docstring(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', "'")


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
