"""A panel asked for one service, as Grafana asks once its variables are chosen."""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from glasshouse_dashboards.__main__ import FOLDER
from glasshouse_dashboards.expand import TimeRange, dashboards, expand, panels, query_of, variables
from support.grafana import ask
from support.stack import Stack
from support.waiting import PATIENCE_S, until

WINDOW_S = 900
DEADLINE_S = 150
_LABEL = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_BOARDS = {board["uid"]: board for board in dashboards(FOLDER)}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One series, one log stream or one trace. ref: the target's; values: numbers, or lines."""

    ref: str
    legend: str
    labels: Mapping[str, str]
    values: list[Any]

    @property
    def last(self) -> float:
        return self.values[-1]

    @property
    def most(self) -> float:
        return max(self.values)


def titles(uid: str) -> list[str]:
    """Return the titles of a dashboard's panels."""
    return [panel["title"] for panel in panels(_BOARDS[uid])]


def panel(uid: str, title: str) -> dict[str, Any]:
    [found] = [one for one in panels(_BOARDS[uid]) if one["title"] == title]
    return found


@dataclass(frozen=True, kw_only=True)
class Asking:
    """One dashboard with its variables chosen; those that are not stand for what they first are."""

    http: httpx.Client
    stack: Stack
    uid: str
    chosen: Mapping[str, str]

    def having(self, **chosen: str) -> "Asking":
        """Return the same dashboard with other choices."""
        return Asking(
            http=self.http, stack=self.stack, uid=self.uid, chosen={**self.chosen, **chosen}
        )

    def answers(self, title: str) -> list[Answer]:
        """Return what a panel shows of the last quarter of an hour."""
        now = time.time()
        time_range = TimeRange(start=now - WINDOW_S, end=now)
        values = {**variables(_BOARDS[self.uid]), **self.chosen}
        asked = panel(self.uid, title)
        return [
            _answer(target, one)
            for target in asked["targets"]
            for one in ask(
                self.http,
                self.stack,
                asked["datasource"]["uid"],
                target,
                expand(query_of(target), values, time_range),
                time_range,
            )
        ]

    def one(self, title: str) -> float:
        """Return the only number of a panel."""
        found = self.answers(title)
        assert len(found) == 1, found
        return found[0].last

    def most(self, title: str) -> dict[str, float]:
        """Return the largest value of each line of a graph, by its legend."""
        return {answer.legend: answer.most for answer in self.answers(title)}

    def rows(self, title: str, *labels: str) -> dict[tuple[str, ...], dict[str, float]]:
        """Return the rows of a table: its numbers by their target, by the values of ``labels``."""
        rows: dict[tuple[str, ...], dict[str, float]] = {}
        for answer in self.answers(title):
            place = tuple(answer.labels.get(label, "") for label in labels)
            rows.setdefault(place, {})[answer.ref] = answer.last
        return rows

    def lines(self, title: str) -> list[str]:
        """Return the log lines of a panel."""
        return [line for answer in self.answers(title) for line in answer.values]

    def empty_text(self, title: str) -> str:
        """Return what a panel shows in place of data; fail if it has some."""
        assert self.answers(title) == []
        return panel(self.uid, title)["fieldConfig"]["defaults"]["noValue"]


def eventually(check: Callable[[], None], *, what: str, deadline_s: float = PATIENCE_S) -> None:
    """Call ``check`` until it raises nothing; fail with the last error.

    Also a row or a number that is not there yet is waited for.
    """

    def probe() -> tuple[bool | None, object]:
        try:
            check()
        except (AssertionError, LookupError, ValueError) as error:
            return None, repr(error)
        return True, None

    until(probe, what=what, deadline_s=deadline_s)


def _answer(target: Mapping[str, Any], found: Mapping[str, Any]) -> Answer:
    if "traceID" in found:
        labels = {key: str(found[key]) for key in ("rootServiceName", "rootTraceName")}
        return Answer(ref=target["refId"], legend=found["traceID"], labels=labels, values=[])
    labels = found.get("metric") or found.get("stream") or {}
    pairs = found.get("values") or [found["value"]]
    numbers = "stream" not in found
    values = [float(value) if numbers else value for _, value in pairs if value != "NaN"]
    legend = target.get("legendFormat", "")
    text = _LABEL.sub(lambda name: labels.get(name[1], ""), legend).strip()
    return Answer(
        ref=target["refId"],
        legend=text or ", ".join(labels.values()),
        labels=labels,
        values=values,
    )
