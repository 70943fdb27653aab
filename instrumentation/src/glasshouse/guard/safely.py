"""Calls foreign parts so that nothing of theirs reaches the application."""

import logging
from collections.abc import Callable
from typing import Any, Final

_logger: Final = logging.getLogger("glasshouse.guard")
_reported: Final[set[str]] = set()


def safely(part: object, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call; return ``None`` where it raises. Each kind of part is reported once."""
    try:
        return call(*args, **kwargs)
    except Exception as error:  # noqa: BLE001 (it would reach the application)
        report(part, error)
        return None


def report(part: object, error: Exception) -> None:
    """Say that a part has raised, once for each kind of part."""
    kind = type(part).__qualname__
    if kind not in _reported:
        _reported.add(kind)
        _logger.warning(
            "A processor of telemetry raises; what it raises is kept from the application",
            extra={"processor": kind, "error.type": type(error).__qualname__},
        )
