"""The Collector's own counters: what it says that it did to a record, and why."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Self

import httpx

from support.waiting import until

# What stands between a record and its backend, by the start of its counters' names. Each is what
# becomes of an item; the label that says why is `reason`.
BECAME = {
    "otelcol_processor_admission_repaired_total": "repaired",
    "otelcol_processor_admission_refused_total": "refused",
    "otelcol_processor_admission_set_aside_total": "set aside",
    "otelcol_processor_admission_throttled_total": "refused",
    "otelcol_processor_pii_unscanned_total": "refused",
    "otelcol_extension_otlp_limits_refused_total": "refused",
    "otelcol_extension_otlp_limits_repaired_total": "repaired",
}
# Counted later, when the exporter's queue is sent.
BISECT_REFUSED = "otelcol_exporter_otlp_bisect_refused_total"
UPTIME = "otelcol_process_uptime_seconds_total"
MEMORY = "otelcol_process_memory_rss_bytes"

_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

STARTED_WITHIN_S = 240

# What became of an item and why -> how often.
Reasons = Counter[tuple[str, str]]


class Counters:
    """Reads one Collector's own metrics; returns what is new since the last call.

    neighbour: a service that sends at the same time and is left out where counters name services.
    """

    def __init__(self, url: str, neighbour: str) -> None:
        self._client = httpx.Client(timeout=60, trust_env=False)
        self._url = url
        self._neighbour = neighbour
        self._last: Reasons = Counter()

    def page(self) -> str:
        """Return all own metrics; wait for a Collector that starts anew."""

        def probe() -> tuple[str | None, object]:
            try:
                return self._client.get(self._url).raise_for_status().text, None
            except httpx.HTTPError as error:
                return None, repr(error)

        return until(probe, what="the Collector's own metrics", deadline_s=STARTED_WITHIN_S)

    def new(self) -> Reasons:
        """Return what was counted since the last call. A Collector that started anew is at 0."""
        now = self._reasons(self.page())
        added = Counter(
            {key: count - self._last[key] for key, count in now.items() if count != self._last[key]}
        )
        self._last = now
        return Counter({key: count if count > 0 else now[key] for key, count in added.items()})

    def total(self, name: str) -> float:
        """Return the sum of one counter over all its labels."""
        return sum(value for found, _, value in samples(self.page()) if found == name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def _reasons(self, page: str) -> Reasons:
        found: Reasons = Counter()
        for name, labels, value in samples(page):
            became = BECAME.get(name)
            if became and value and labels.get("service") != self._neighbour:
                found[became, _reason(name, labels)] += int(value)
        return found


def samples(page: str) -> list[tuple[str, Mapping[str, str], float]]:
    """Return name, labels and value of each of our own samples on a page of metrics."""
    wanted = (*BECAME, BISECT_REFUSED, UPTIME, MEMORY)
    ours = (_SAMPLE.match(line) for line in page.splitlines() if line.startswith(wanted))
    return [
        (match[1], dict(_LABEL.findall(match[2] or "")), float(match[3])) for match in ours if match
    ]


def _reason(name: str, labels: Mapping[str, str]) -> str:
    for label in ("reason", "outcome"):
        if label in labels:
            return labels[label]
    return name.removeprefix("otelcol_").removeprefix("processor_").removesuffix("_total")
