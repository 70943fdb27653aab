"""Switchable faults, repeatable by seed."""

import random
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Mode(StrEnum):
    """What a part does wrong. Each part states which modes it has."""

    NONE = "none"
    DOWN = "down"
    SLOW = "slow"
    ERROR = "error"
    LOST_REPLY = "lost_reply"
    REVERT = "revert"
    NEVER_MINE = "never_mine"


class Fault(BaseModel):
    """One part's fault. ``rate`` is the share of requests it hits; ``delay`` is in seconds.

    ``status`` is the HTTP status or SMTP reply code of an error; without it each part has its own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Mode = Mode.NONE
    rate: Annotated[float, Field(ge=0, le=1)] = 1.0
    delay: Annotated[float, Field(ge=0, le=60)] = 0.0
    status: Annotated[int, Field(ge=400, le=599)] | None = None


class Switch:
    """The fault of one part, and the dice that say whom it hits.

    Setting a fault throws the dice anew from the seed: the same requests after it in the same
    order meet the same fate.
    """

    def __init__(self, part: str, modes: Iterable[Mode], seed: int) -> None:
        self.modes = frozenset({Mode.NONE, *modes})
        self._seed = f"{seed}:{part}"
        self.set(Fault())

    @property
    def fault(self) -> Fault:
        return self._fault

    def set(self, fault: Fault) -> None:
        """Put ``fault`` in place of the present one."""
        self._fault = fault
        # Not for secrets: it must be repeatable.
        self._random = random.Random(self._seed)  # noqa: S311 (see above)

    def hit(self, *modes: Mode) -> Fault | None:
        """Return the fault if it is one of ``modes`` and strikes this time."""
        if self._fault.mode not in modes or self._random.random() >= self._fault.rate:
            return None
        return self._fault
