"""How often Python's collector of cyclic garbage runs: as Python has it, or as suits a service.

A request leaves few cycles behind, but each of its objects counts towards the next collection, and
a full one goes through all that the imports have made. ``GLASSHOUSE_GC=rare`` sets thresholds that
are met seldom, and takes what exists some seconds after the start out of the collector's sight
(`gc.freeze`). Before the first fork that is done at once: the collector then writes to no page that
the children share with their parent.

What is frozen is freed as before once nothing refers to it; only cycles among it stay.
"""

import gc
import logging
import os
import time
from collections.abc import Mapping
from typing import Any, Final

VARIABLE: Final = "GLASSHOUSE_GC"
_PYTHON: Final = "python"
_RARE: Final = "rare"
# New containers, beyond those that are gone; then collections of the generation before.
THRESHOLDS: Final = (20_000, 20, 100)
# By then a service has imported what it is made of, and answered the first requests.
STARTED_AFTER_S: Final = 10.0

_logger: Final = logging.getLogger("glasshouse")


class _Freezing:
    """Freezes once: after a collection that ends some time after the start, or before a fork."""

    def __init__(self) -> None:
        self._after = time.monotonic() + STARTED_AFTER_S
        self._done = False

    def collected(self, phase: str, _: Mapping[str, Any]) -> None:
        """Be one of `gc.callbacks`."""
        if not self._done and phase == "stop" and time.monotonic() >= self._after:
            self.freeze()

    def freeze(self) -> None:
        # Once: each time, cycles among what is in use at that moment would stay for good.
        if not self._done:
            self._done = True
            gc.freeze()


_installed: Final[list[_Freezing]] = []


def install(environ: Mapping[str, str] = os.environ) -> None:
    """Do as ``GLASSHOUSE_GC`` says. Safe to call twice.

    Another value than ``python``, the default, and ``rare`` costs one line and changes nothing.
    """
    text = environ.get(VARIABLE, "").strip().lower() or _PYTHON
    if text not in (_PYTHON, _RARE):
        _logger.warning(
            f"{VARIABLE}: {text!r} is neither {_PYTHON} nor {_RARE}: {_PYTHON} it is"  # noqa: G004 (as settings are refused)
        )
    if text != _RARE or _installed:
        return
    freezing = _Freezing()
    _installed.append(freezing)
    gc.set_threshold(*THRESHOLDS)
    gc.callbacks.append(freezing.collected)
    os.register_at_fork(before=freezing.freeze)
