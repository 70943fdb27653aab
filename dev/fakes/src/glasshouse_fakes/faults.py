"""Switchable faults, repeatable by seed."""

import random
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Mode(StrEnum):
    """How a fake service fails. Each service states which modes it has."""

    NONE = "none"
    DOWN = "down"
    SLOW = "slow"
    ERROR = "error"
    LOST_REPLY = "lost_reply"
    REVERT = "revert"
    NEVER_MINE = "never_mine"


class Fault(BaseModel):
    """A service's fault. ``rate`` is the share of requests that fail; ``delay`` is in seconds.

    ``status`` is the HTTP status or SMTP reply code of an error; each service has a default.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Mode = Mode.NONE
    rate: Annotated[float, Field(ge=0, le=1)] = 1.0
    delay: Annotated[float, Field(ge=0, le=60)] = 0.0
    status: Annotated[int, Field(ge=400, le=599)] | None = None


class Switch:
    """The fault of one service, and the random generator that decides which requests fail.

    Setting a fault seeds the generator anew: the same requests in the same order then fail again.
    """

    def __init__(self, service: str, modes: Iterable[Mode], seed: int) -> None:
        self.modes = frozenset({Mode.NONE, *modes})
        self._seed = f"{seed}:{service}"
        self.set(Fault())

    @property
    def fault(self) -> Fault:
        return self._fault

    def set(self, fault: Fault) -> None:
        """Put ``fault`` in place of the present one."""
        self._fault = fault
        # Not for secrets: it must be repeatable.
        self._random = random.Random(self._seed)  # noqa: S311 (see above)

    def should_fail(self, *modes: Mode) -> Fault | None:
        """Return the fault if it is one of ``modes`` and this request is to fail, else None."""
        if self._fault.mode not in modes or self._random.random() >= self._fault.rate:
            return None
        return self._fault
