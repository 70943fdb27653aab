"""Reads prometheus/slos.yaml and makes Prometheus rules of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path
from string import Template
from typing import Any, TypeVar

import yaml

from glasshouse_cli.errors import StackError

# How often the two base rates are recorded; sums of them are multiplied by it to give events.
EVERY_S = 30
# A window of days moves little in 30 seconds, and reads many samples.
LONG_EVERY_S = 120
BASE_S = 300
# increase() stretches to the edges of its window, by up to 1 % at our scrape intervals.
STRETCH = 0.99


@dataclass(frozen=True, kw_only=True)
class Unfinished:
    """What should have ended `deadline` after it started: selectors of two counters.

    Without a deadline it is the objective's `within`.
    """

    started: str
    ended: str
    deadline: str = ""


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """One recording rule that several queries share."""

    record: str
    expr: str


@dataclass(frozen=True, kw_only=True)
class Slo:
    """One objective, in percent. `total` and `bad` are PromQL, events per second over 5 minutes.

    `within` is its limit in seconds, 0 if it has none.
    """

    name: str
    alert: str
    promise: str
    objective: float
    area: str
    total: str
    bad: str
    within: float = 0
    unfinished: Unfinished | None = None

    @property
    def within_text(self) -> str:
        """The limit for people."""
        return f"{self.within:g} s" if self.within >= 1 else f"{self.within * 1000:g} ms"

    @property
    def le(self) -> str:
        """The histogram's bucket that ends at the limit, as Prometheus writes what it scrapes."""
        return str(float(self.within))

    @property
    def bucket(self) -> str:
        """What selects that bucket: OTLP's receiver writes 120, where a scrape gives 120.0."""
        pushed = f"{self.within:.15g}"
        return f'le="{self.le}"' if pushed == self.le else f'le=~"{pushed}|{self.le}"'

    @property
    def budget(self) -> float:
        """The share of events that may be bad."""
        return round(1 - self.objective / 100, 6)


@dataclass(frozen=True, kw_only=True)
class BurnRate:
    """One pair of windows. `wait` is how long both must burn before the alert fires."""

    severity: str
    factor: float
    long: str
    short: str
    wait: str


@dataclass(frozen=True, kw_only=True)
class Slos:
    period: str
    minimum_bad_events: int
    burn_rates: Sequence[BurnRate]
    selectors: Mapping[str, str]
    records: Sequence[Recorded]
    slos: Sequence[Slo]


Record = TypeVar("Record", Unfinished, Slo, BurnRate, Recorded)


def load(path: Path) -> Slos:
    """Read the file. Raises StackError naming the entry and the key to fix."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise StackError(f"{path} cannot be read: {error}") from error
    return read(document, str(path))


def read(document: object, path: str) -> Slos:
    """Return what the content of such a file says. path: its name, for faults."""
    if not isinstance(document, dict):
        raise StackError(f"{path}: must be a mapping")
    missing = {field.name for field in fields(Slos)} ^ set(document)
    if missing:
        raise StackError(f"{path}: missing or unknown: {', '.join(sorted(map(str, missing)))}")
    selectors: dict[str, str] = document["selectors"]
    records = [
        _record(Recorded, _filled(entry, selectors, f"{path}: record {number}"), f"{path}: records")
        for number, entry in enumerate(document["records"], start=1)
    ]
    slos = [
        _slo(entry, selectors, f"{path}: slo {entry.get('name', n)}")
        for n, entry in enumerate(document["slos"])
    ]
    burn_rates = [
        _record(
            BurnRate,
            {("wait" if key == "for" else key): value for key, value in entry.items()},
            f"{path}: burn rate {number}",
        )
        for number, entry in enumerate(document["burn_rates"], start=1)
    ]
    return Slos(
        period=document["period"],
        minimum_bad_events=document["minimum_bad_events"],
        burn_rates=burn_rates,
        selectors=selectors,
        records=records,
        slos=slos,
    )


def _slo(entry: Mapping[str, Any], selectors: Mapping[str, str], where: str) -> Slo:
    plain = _record(Slo, {**entry, "unfinished": None}, where)
    if not 0 < plain.objective < 100:
        raise StackError(f"{where}: objective must be a percentage between 0 and 100")
    limit = (
        {"within": plain.within_text, "le": plain.le, "bucket": plain.bucket}
        if plain.within
        else {}
    )
    names = {**selectors, **limit}
    filled = _filled(entry, names, where)
    if (unfinished := entry.get("unfinished")) is not None:
        late = _record(Unfinished, _filled(unfinished, names, where), f"{where}: unfinished")
        if not late.deadline:
            if not plain.within:
                raise StackError(f"{where}: set within, or a deadline of what is unfinished")
            late = replace(late, deadline=f"{plain.within:g}s")
        filled["unfinished"] = late
    return _record(Slo, filled, where)


def _filled(entry: Mapping[str, Any], names: Mapping[str, str], where: str) -> dict[str, Any]:
    """Return the entry with what stands for its names, such as $within, in each text."""
    try:
        return {
            key: Template(value).substitute(names) if isinstance(value, str) else value
            for key, value in entry.items()
        }
    except (KeyError, ValueError) as error:
        raise StackError(f"{where}: there is no value for {error}") from error


def _record(kind: type[Record], values: Mapping[str, Any], where: str) -> Record:
    known = {field.name for field in fields(kind)}
    required = {field.name for field in fields(kind) if field.default is MISSING}
    if wrong := (required - set(values)) | (set(values) - known):
        raise StackError(f"{where}: missing or unknown: {', '.join(sorted(wrong))}")
    return kind(**values)


def values(slos: Slos) -> dict[str, str]:
    """Return what stands for a name in prometheus/templates/: selectors, and times of objectives.

    Of what started in 5 minutes and is due by now, the first started a window ago.
    """
    names = dict(slos.selectors)
    for slo in slos.slos:
        if slo.unfinished is not None:
            due = seconds(slo.unfinished.deadline)
            for name, time in (("due", due), ("window", due + BASE_S)):
                key = f"{slo.name.replace('-', '_')}_{name}"
                minutes = f"{time / 60:g}"
                names |= {key: f"{minutes}m", f"{key}_minutes": minutes}
    return names


def shared(slos: Slos) -> dict[str, Any]:
    """Return the content of rules/api.yaml: what objectives, alerts and dashboards ask for."""
    rules = [{"record": one.record, "expr": one.expr} for one in slos.records]
    return {"groups": [{"name": "api", "rules": rules}]}


def document(slos: Slos) -> dict[str, Any]:
    """Return the content of rules/slos.yaml."""
    windows = list(dict.fromkeys([w for b in slos.burn_rates for w in (b.short, b.long)]))
    short = [window for window in windows if not window.endswith("d")]
    long = [window for window in windows if window.endswith("d")] + [slos.period]
    ratios = [_ratio(window) for window in short]
    counts = [_bad_events(window) for window in dict.fromkeys(b.long for b in slos.burn_rates)]
    groups: list[dict[str, Any]] = [
        {
            "name": "slo-events",
            "interval": f"{EVERY_S}s",
            "rules": [rule for slo in slos.slos for rule in _base(slo)],
        },
        {"name": "slo-windows", "interval": f"{EVERY_S}s", "rules": ratios + counts},
        {
            "name": "slo-long-windows",
            "interval": f"{LONG_EVERY_S}s",
            "rules": [*(_ratio(window) for window in long), *_budget(slos.period)],
        },
        {
            "name": "slo-alerts",
            "interval": f"{EVERY_S}s",
            "rules": [_alert(slo, burn, slos) for slo in slos.slos for burn in slos.burn_rates],
        },
    ]
    return {"groups": groups}


def _base(slo: Slo) -> list[dict[str, Any]]:
    total, bad = f"({slo.total} or vector(0))", f"clamp_min({slo.bad} or vector(0), 0)"
    if slo.unfinished is not None:
        late = _unfinished(slo.unfinished)
        total, bad = f"{total}\n+\n{late}", f"{bad}\n+\n{late}"
    labels = {"slo": slo.name, "area": slo.area}
    return [
        {"record": "slo:total:rate5m", "expr": total, "labels": labels},
        {"record": "slo:bad:rate5m", "expr": bad, "labels": labels},
        {"record": "slo:objective:ratio", "expr": f"vector({slo.objective / 100:g})"}
        | {"labels": labels},
        {"record": "slo:error_budget:ratio", "expr": f"vector({slo.budget:g})"}
        | {"labels": labels},
    ]


def _unfinished(late: Unfinished) -> str:
    deadline = seconds(late.deadline)
    started = f"sum(increase({late.started}[5m] offset {late.deadline}))"
    # All that ended since the first of those started, whenever it started: more than those of
    # them that ended, so that what is left has surely not ended.
    ended = f"(sum(increase({late.ended}[{BASE_S + deadline}s])) or vector(0))"
    return f"(clamp_min(round({STRETCH} * {started} - {ended}), 0) / {BASE_S} or vector(0))"


def _ratio(window: str) -> dict[str, Any]:
    if window == "5m":
        expr = "slo:bad:rate5m / (slo:total:rate5m > 0)"
    else:
        bad, total = (f"sum_over_time(slo:{name}:rate5m[{window}])" for name in ("bad", "total"))
        expr = f"{bad} / ({total} > 0)"
    return {"record": f"slo:error:ratio_rate{window}", "expr": expr}


def _bad_events(window: str) -> dict[str, Any]:
    expr = f"sum_over_time(slo:bad:rate5m[{window}]) * {EVERY_S}"
    return {"record": f"slo:bad:events{window}", "expr": expr}


def _budget(period: str) -> list[dict[str, Any]]:
    burned = f"slo:error:ratio_rate{period} / slo:error_budget:ratio"
    return [
        {
            "record": "slo:burn_rate:ratio",
            "expr": "slo:error:ratio_rate1h / slo:error_budget:ratio",
        },
        {"record": "slo:budget_remaining:ratio", "expr": f"1 - {burned}"},
    ]


def _alert(slo: Slo, burn: BurnRate, slos: Slos) -> dict[str, Any]:
    limit = f"{burn.factor:g} * {slo.budget:g}"
    burning = " and ".join(
        f'slo:error:ratio_rate{window}{{slo="{slo.name}"}} > {limit}'
        for window in (burn.long, burn.short)
    )
    enough = f'slo:bad:events{burn.long}{{slo="{slo.name}"}} >= {slos.minimum_bad_events}'
    left = f"slo:budget_remaining:ratio{{slo='{slo.name}'}}"
    days = float(slos.period.removesuffix("d")) / burn.factor
    return {
        "alert": slo.alert,
        "expr": burning.replace(" and ", "\nand\n") + f"\nand\n{enough}",
        "for": burn.wait,
        "labels": {"severity": burn.severity, "area": slo.area, "window": burn.long},
        "annotations": {
            "summary": f"The error budget of {slo.name} burns at {burn.factor:g} times its rate.",
            "description": (
                f"Promised: {slo.promise}. Over the last {burn.long} "
                "{{ $value | humanizePercentage }} were bad. At this rate the budget of "
                f"{slos.period} is used up within {days:.2g} days; left of it: "
                f'{{{{ with query "{left}" }}}}{{{{ . | first | value | humanizePercentage }}}}'
                "{{ else }}not known yet{{ end }}."
            ),
            "runbook_url": f"{{{{ $externalURL }}}}/user/{slo.alert}.md",
            "dashboard": "{{ $externalLabels.grafana }}/d/slos",
        },
    }


def seconds(duration: str) -> int:
    """Return a Prometheus duration of one unit, such as 5m, in seconds."""
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
    if duration[:-1].isdecimal() and duration[-1:] in units:
        return int(duration[:-1]) * units[duration[-1]]
    raise StackError(f"{duration!r} is no duration such as 30s, 5m or 6h")
