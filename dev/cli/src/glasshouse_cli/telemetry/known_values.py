"""Makes the Python module of known values: an enum for each field that has members."""

from __future__ import annotations

import json

from glasshouse_cli.telemetry.catalogue import Attribute, Catalogue

_HEAD = '''"""Values of fields that code knows. Made from `telemetry/` by `make telemetry`."""

from enum import StrEnum
'''


def module(catalogue: Catalogue) -> str:
    """Return the module's text."""
    return _HEAD + "".join(f"\n\n{enum(one)}" for one in catalogue.enums)


def enum(attribute: Attribute) -> str:
    """Return the class of one field that has members."""
    members = "".join(
        f"    {one.id.upper()} = {json.dumps(one.value)}\n" for one in attribute.members
    )
    others = " Others may occur, too." if attribute.open else ""
    return (
        f'class {attribute.class_name}(StrEnum):\n    """`{attribute.id}`.{others}"""\n\n{members}'
    )
