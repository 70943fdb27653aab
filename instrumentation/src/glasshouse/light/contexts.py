"""The API's own question for the current context, answered by the context variable at once.

`opentelemetry.context.get_current` asks an object, which asks the variable. Whatever is recorded
asks for it several times, FastAPI's routing as well.
"""

import inspect
import threading
from typing import Any, Final

from opentelemetry import context

from glasshouse import runtime_context

_lock: Final = threading.Lock()
_originals: Final[list[Any]] = []
_NAME: Final = "get_current"


def install() -> None:
    """Let the API ask the variable, where both are upstream's own. Safe to call twice."""
    with _lock:
        names: Any = context.__dict__
        variable, asked = runtime_context.variable, names[_NAME]
        is_own = inspect.isfunction(asked) and asked.__globals__ is names
        if not _originals and variable is not None and is_own:
            _originals.append(asked)
            setattr(context, _NAME, variable.get)


def uninstall() -> None:
    """Give the API its own way back."""
    with _lock:
        while _originals:
            setattr(context, _NAME, _originals.pop())
