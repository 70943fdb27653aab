"""What comes of comparing limits."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from glasshouse_cli.limits.settings import Setting


@dataclass(frozen=True, kw_only=True)
class Relation:
    """What has to hold between two numbers."""

    holds: Callable[[float, float], bool]


AT_MOST: Final = Relation(holds=lambda one, other: one <= other)
LESS: Final = Relation(holds=lambda one, other: one < other)
EQUAL: Final = Relation(holds=lambda one, other: one == other)


@dataclass(kw_only=True)
class Findings:
    """One line each. contradictions: to be fixed before a start. unchecked: what could not be
    compared, and why. held: how many pairs are as they should be.
    """

    contradictions: list[str] = field(default_factory=list[str])
    unchecked: list[str] = field(default_factory=list[str])
    held: int = 0

    def compare(
        self,
        one: Setting,
        relation: Relation,
        other: Setting,
        consequence: str,
        *,
        remedy: str = "lower one or raise the other",
        factor: float = 1,
        factor_text: str = "",
    ) -> None:
        """Hold `one` times `factor` against `other`."""
        if not self._comparable(one, other):
            return
        if relation.holds(one.number() * factor, other.number()):
            self.held += 1
            return
        self.contradictions.append(
            f"{one} is {one.text}{factor_text}, but {other} is {other.text}: "
            f"{consequence}; {remedy}"
        )

    def require(self, one: Setting, *, holds: bool, consequence: str) -> None:
        """Hold one setting against what it has to be."""
        if holds:
            self.held += 1
        else:
            self.contradictions.append(f"{one} is {one.text}: {consequence}")

    def readable(self, one: Setting) -> bool:
        """Whether it is there and a number; reported as a finding when it is not."""
        if one.missing:
            self.unchecked.append(f"{one} is not set: not checked")
        elif one.from_outside:
            self.unchecked.append(f"{one} comes from the environment: not checked")
        else:
            try:
                one.number()
            except ValueError as error:
                # It stands in several pairs and is reported once.
                self._contradict(f"{one} is {one.text}, which is {error}: fix it")
            else:
                return True
        return False

    def _comparable(self, one: Setting, other: Setting) -> bool:
        for this, that in ((one, other), (other, one)):
            if this.missing or this.from_outside:
                why = "is not set" if this.missing else "comes from the environment"
                self.unchecked.append(f"{this} {why}: not checked against {that}")
                return False
        if not all([self.readable(one), self.readable(other)]):
            return False
        if math.isinf(one.number()):
            self.unchecked.append(f"{one} is 0, which is no bound: not checked against {other}")
            return False
        return True

    def _contradict(self, line: str) -> None:
        if line not in self.contradictions:
            self.contradictions.append(line)
