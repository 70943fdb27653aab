"""Sends the doctor's canary while a start goes on: once what it goes through is ready."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Final

from glasshouse_cli import compose
from glasshouse_cli.compose import Container
from glasshouse_cli.doctor import checks
from glasshouse_cli.doctor.checks import Check
from glasshouse_cli.errors import StackError
from glasshouse_cli.project import Project

# The proxy publishes no readiness of its own: the others answer through it.
_WAY: Final = frozenset({"collector", "loki", "tempo", "prometheus", "proxy"})


class Ahead:
    """The data flow of one start, followed on a thread of its own. Nothing of it is raised."""

    def __init__(self, checkout: Project) -> None:
        self._checkout = checkout
        self._thread: threading.Thread | None = None
        self._way: dict[str, datetime | None] = {}
        self._rows: list[Check] = []

    def begin(self, waiting: Collection[str]) -> None:
        """Begin, once none of the canary's way is among the services that are waited for."""
        if self._thread is None and _WAY.isdisjoint(waiting):
            # A start that fails says so at once.
            self._thread = threading.Thread(target=self._follow, daemon=True)
            self._thread.start()

    def found(self, containers: Iterable[Container]) -> list[Check] | None:
        """Wait for the rows of the data flow and return them, None where they do not count.

        They do not when it never began, when one failed, which may be for want of time in a start,
        and when one of `containers` on the way began anew meanwhile.
        """
        if self._thread is None:
            return None
        self._thread.join()
        failed = any(row.status != "ok" for row in self._rows)
        if failed or not self._rows or self._way != _on_the_way(containers):
            return None
        return self._rows

    def _follow(self) -> None:
        try:
            self._way = _on_the_way(compose.containers(self._checkout))
            self._rows = list(checks.data_flow(self._checkout))
        except StackError:
            self._rows = []  # the doctor meets it again, and says so


def _on_the_way(containers: Iterable[Container]) -> dict[str, datetime | None]:
    """When each container of the way last started, by its id."""
    return {one.id: one.started for one in containers if one.service in _WAY}
