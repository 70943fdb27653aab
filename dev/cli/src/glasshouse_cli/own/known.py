"""The metrics that a query of the user's may name."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, cast

import yaml

from glasshouse_cli.own import promql
from glasshouse_cli.own.folder import METRICS, Own
from glasshouse_cli.project import Project
from glasshouse_cli.telemetry.catalogue import Catalogue

# Prometheus makes these itself.
_BUILT_IN: Final = frozenset({"ALERTS", "ALERTS_FOR_STATE", "up", "scrape_duration_seconds"})
_VARIABLE: Final = re.compile(r"\$\{\w+(?::\w+)?\}|\$\w+|\[\[\w+\]\]")
# Behind these a variable stands for labels, elsewhere for a number, or within a text.
_LABELS: Final = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*$")
UNKNOWN: Final = "glasshouse_variable"


def metrics(checkout: Project, own: Own, catalogue: Catalogue, recorded: set[str]) -> set[str]:
    """Return the names: ours, and those that are in the catalogue, recorded, or listed."""
    listed = own.folder / METRICS
    lines = own.text(listed).splitlines() if listed.is_file() else []
    names = {line.partition("#")[0].strip() for line in lines} - {""}
    for metric in catalogue.metrics:
        name = metric.prometheus_name
        histogram = metric.instrument == "histogram"
        names |= {f"{name}{end}" for end in ("_bucket", "_sum", "_count")} if histogram else {name}
    return names | recorded | _BUILT_IN | _ours(checkout.root)


@functools.cache
def _ours(root: Path) -> frozenset[str]:
    found: set[str] = set()
    for path in (root / "prometheus" / "rules").glob("*.yaml"):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        for group in document["groups"]:
            for rule in group["rules"]:
                found |= promql.metrics(rule["expr"])
                found |= {rule["record"]} if "record" in rule else set()
    for path in (root / "grafana" / "dashboards").glob("*.json"):
        for panel in panels(json.loads(path.read_text(encoding="utf-8"))):
            for target in entries(panel.get("targets")):
                if source(panel, target) == "prometheus":
                    found |= promql.metrics(filled(target.get("expr", "")))
    return frozenset(found)


def panels(dashboard: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what shows data, also of rows that are folded up."""
    for panel in entries(dashboard.get("panels")):
        if panel.get("type") != "row":
            yield panel
        yield from panels(panel)


def entries(value: object) -> list[dict[str, Any]]:
    """Return the mappings of a list; what is none is left out."""
    items = cast("list[object]", value) if isinstance(value, list) else []
    return [cast("dict[str, Any]", one) for one in items if isinstance(one, dict)]


def source(panel: Mapping[str, Any], target: Mapping[str, Any]) -> str:
    """Return the uid of the data source that a target asks; "" where none is named."""
    for part in (target, panel):
        named = part.get("datasource")
        if isinstance(named, dict):
            return str(cast("dict[str, Any]", named).get("uid", ""))
        if isinstance(named, str):
            return named
    return ""


def kind(panel: Mapping[str, Any], target: Mapping[str, Any]) -> str:
    """Return the type of the data source that a target asks: Prometheus where none is named."""
    uid = source(panel, target)
    for part in (target, panel):
        named = part.get("datasource")
        if isinstance(named, dict) and uid.startswith("$"):
            return str(cast("dict[str, Any]", named).get("type", "prometheus"))
    return uid or "prometheus"


def filled(query: str) -> str:
    """Put something in the place of each variable, so that the query can be read."""

    def value(found: re.Match[str]) -> str:
        before, after = query[: found.start()], query[found.end() :]
        if before.endswith(("[", ":")):
            return "5m"
        joined = before[-1:].isalnum() or before[-1:] in "_:" or re.match(r"\w", after)
        named = joined or not before.strip() or after.lstrip()[:1] in ("{", "[")
        return UNKNOWN if named or _LABELS.search(before) else "1"

    return _VARIABLE.sub(value, query)
