"""Whether an event loop runs on this thread: what takes long here keeps all its tasks waiting."""

import sys
from typing import Any


def is_on_loop() -> bool:
    """Return whether this thread runs an asyncio loop at this moment."""
    # Not imported for this: a service without it has no loop.
    running: Any = getattr(sys.modules.get("asyncio.events"), "_get_running_loop", None)
    return running is not None and running() is not None
