"""The current context, read and set without the calls that upstream makes on its way there.

`opentelemetry.context` asks an object that may be another one (``OTEL_PYTHON_CONTEXT``), which asks
its context variable. With upstream's own object the variable is asked at once.
"""

from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import Any, Final, cast

from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.context.contextvars_context import ContextVarsRuntimeContext


def _variable() -> ContextVar[Context] | None:
    runtime: Any = getattr(otel_context, "_RUNTIME_CONTEXT", None)
    if type(runtime) is not ContextVarsRuntimeContext:
        return None
    found: Any = getattr(cast("object", runtime), "_current_context", None)
    return cast("ContextVar[Context]", found) if isinstance(found, ContextVar) else None


_found: Final = _variable()
get_current: Final[Callable[[], Context]] = (
    otel_context.get_current if _found is None else _found.get
)
attach: Final[Callable[[Context], Token[Context]]] = (
    otel_context.attach if _found is None else _found.set
)


def detach(token: Token[Context]) -> None:
    """Leave a context that `attach` has entered. Nothing is raised."""
    if _found is not None:
        try:
            _found.reset(token)
        except Exception:  # noqa: BLE001 (another task's token, say: upstream reports it)
            otel_context.detach(token)
    else:
        otel_context.detach(token)


def with_value(key: str, value: object, context: Context | None = None) -> Context:
    """Return ``context``, by default the current one, with a value in it."""
    return Context({**(get_current() if context is None else context), key: value})
