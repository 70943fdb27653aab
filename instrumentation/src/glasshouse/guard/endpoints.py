"""Finds out whether two exporters send to one place: everything would be there twice.

FastAPI's own set-up adds exporters, and so do guides that one follows without knowing that the
distro has done it already.
"""

import logging
import threading
import weakref
from collections.abc import Iterator
from typing import Any, Final

_logger: Final = logging.getLogger("glasshouse.guard")
# Where the SDK's processors and readers, and those of others, keep their exporter.
_KEPT_AS: Final = ("inner", "span_exporter", "exporter", "_exporter", "_inner", "_batch_processor")
_DEEPEST: Final = 5

_lock: Final = threading.Lock()
_known: Final[weakref.WeakKeyDictionary[Any, set[str]]] = weakref.WeakKeyDictionary()


def _parts(part: object, level: int = 0) -> Iterator[object]:
    yield part
    if level >= _DEEPEST:
        return
    for name in _KEPT_AS:
        held = getattr(part, "__dict__", {}).get(name)
        if held is not None:
            yield from _parts(held, level + 1)


def endpoint_of(part: object) -> str | None:
    """Return where a processor or reader sends to, if its exporter shows that."""
    for held in _parts(part):
        endpoint = getattr(held, "__dict__", {}).get("_endpoint")
        if isinstance(endpoint, str):
            return f"{type(held).__name__} {endpoint}"
    return None


def is_second(owner: object, part: object) -> bool:
    """Return whether ``owner`` has a part already that sends to where this one sends."""
    endpoint = endpoint_of(part)
    if endpoint is None:
        return False
    with _lock:
        known = _known.setdefault(owner, set())
        if endpoint not in known:
            known.add(endpoint)
            return False
    _logger.warning(
        "A second exporter to the same endpoint is left out: everything would be there twice",
        extra={"exporter": endpoint},
    )
    return True
