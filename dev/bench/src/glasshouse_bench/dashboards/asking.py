"""Asks Prometheus each query cold and warm, and keeps how long it took and how much it read."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

from glasshouse_bench.dashboards.grafana import Request

WARM: Final = 1
# What is over it is too slow, by however much: Prometheus ends what takes `PATIENCE_S`.
LIMIT_MS: Final = 1_000.0
PATIENCE_S: Final = 1.2
# Until an answer is here, with what Prometheus needs to end a query.
_ANSWERED_WITHIN_S: Final = 60.0


@dataclass(kw_only=True)
class Answer:
    """What one query took: milliseconds of its first time and of those after.

    ``samples``: read in all; ``peak``: held at once. ``error``: what it was answered with instead.
    """

    request: Request
    range: str
    cold_ms: float = 0.0
    warm_ms: list[float] = field(default_factory=list[float])
    samples: int = 0
    peak: int = 0
    series: int = 0
    error: str = ""

    @property
    def warm_median_ms(self) -> float:
        """Of the times after the first; the first where it was too slow to be asked again."""
        return statistics.median(self.warm_ms or [self.cold_ms])


def rules(root: Path, end: int) -> Iterator[Request]:
    """Yield each expression that Prometheus evaluates for a rule."""
    for path in sorted((root / "prometheus" / "rules").glob("*.yaml")):
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            for rule in group["rules"]:
                fixed = ",".join(rule.get("labels", {}).get(key, "") for key in ("slo", "severity"))
                name = rule.get("alert") or rule["record"]
                yield Request(
                    board=f"rules/{path.stem}",
                    panel=f"{name} {fixed}".rstrip(", "),
                    ref="A",
                    source="prometheus",
                    kind="instant",
                    query=rule["expr"],
                    start=end,
                    end=end,
                )


def ask_all(
    url: str, asked: Sequence[tuple[str, Request]], note: Callable[[str], None] = lambda _: None
) -> list[Answer]:
    """Ask each request once, then all that were quick enough again ``WARM`` times."""
    answers = [Answer(request=request, range=name) for name, request in asked]
    with httpx.Client(base_url=url, timeout=_ANSWERED_WITHIN_S, trust_env=False) as http:
        for number, answer in enumerate(answers):
            note(f"{number}/{len(answers)}")
            answer.cold_ms = _ask(http, answer)
        for _ in range(WARM):
            for answer in answers:
                if not answer.error and answer.cold_ms <= LIMIT_MS:
                    answer.warm_ms.append(_ask(http, answer))
    return answers


def _ask(http: httpx.Client, answer: Answer) -> float:
    one = answer.request
    moments: dict[str, Any] = {"start": one.start, "end": one.end}
    began = time.perf_counter()
    try:
        if one.kind == "labels":
            found = http.get(
                f"/api/v1/label/{one.label}/values", params={"match[]": one.query, **moments}
            )
        elif one.kind == "range":
            form = {**_form(one), "step": one.step, **moments}
            found = http.post("/api/v1/query_range", data=form)
        else:
            found = http.post("/api/v1/query", data={**_form(one), "time": one.end})
    except httpx.TimeoutException:
        answer.error = f"no answer within {_ANSWERED_WITHIN_S:.0f} s"
        return (time.perf_counter() - began) * 1000
    took = (time.perf_counter() - began) * 1000
    document = found.json()
    if found.is_error:
        is_slow = document.get("errorType") == "timeout"
        answer.error = f"over {PATIENCE_S:g} s" if is_slow else document.get("error", "refused")
    elif one.kind == "labels":
        answer.series = len(document["data"])
    else:
        answer.series = len(document["data"]["result"])
        samples = document["data"]["stats"]["samples"]
        answer.samples, answer.peak = samples["totalQueryableSamples"], samples["peakSamples"]
    return took


def _form(request: Request) -> dict[str, Any]:
    return {"query": request.query, "stats": "true", "timeout": f"{PATIENCE_S * 1000:.0f}ms"}
