"""Records of the standard library, made from those of other logging libraries."""

import logging
from collections.abc import Mapping
from typing import Any, Final

# What every record has. An attribute of such a name gets an underscore, as on the console.
_RESERVED: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def made(
    *,
    name: str,
    level: tuple[int, str],
    message: str,
    attributes: Mapping[Any, Any],
    **fields: Any,
) -> logging.LogRecord:
    """Return a record with these fields of `logging.LogRecord`, and attributes of its own."""
    own = {str(key): value for key, value in attributes.items()}
    extra = {f"{key}_" if key in _RESERVED else key: value for key, value in own.items()}
    number, text = level
    known = {"name": name, "levelno": number, "levelname": text, "msg": message}
    return logging.makeLogRecord({**extra, **fields, **known})
