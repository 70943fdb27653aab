"""Makes what the Collector's connector `event_metrics` is to count."""

from __future__ import annotations

from typing import Any, Final

import yaml

from glasshouse_cli.telemetry.catalogue import Catalogue, Label, Metric, Type

# What the connector calls the number of values, beside the known ones, that get a series.
DYNAMIC_VALUES_KEY: Final = "max_dynamic_values"

_HEAD: Final = """\
# What event_metrics counts. Made from telemetry/ by `make telemetry`.
"""


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, indentless=False)


def _scalars(dumper: yaml.SafeDumper, value: list[Any]) -> yaml.Node:
    flow = not any(isinstance(one, dict) for one in value)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=flow)


_Dumper.add_representer(list, _scalars)


def document(catalogue: Catalogue) -> str:
    """Return the file's text."""
    return _HEAD + dump(families(catalogue))


def families(catalogue: Catalogue) -> list[dict[str, Any]]:
    """Return what the connector is to count, one entry a metric."""
    return [_family(metric) for metric in catalogue.metrics]


def dump(document: Any) -> str:
    """Return YAML in the form of the file: lists of plain values in one line."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=100)


def _family(metric: Metric) -> dict[str, Any]:
    family: dict[str, Any] = {"name": metric.name, "description": metric.brief}
    if metric.unit != "1":
        family["unit"] = metric.unit
    family["events"] = {event.name: event.counted_as for event in metric.events}
    for label in metric.labels:
        if label.from_event:
            family["event_label"] = label.name
    family["labels"] = [_label(one) for one in metric.labels if not one.from_event]
    if metric.value:
        family |= {"value": metric.value.id, "max": metric.maximum}
    if metric.buckets:
        family["buckets"] = list(metric.buckets)
    return family


def _label(label: Label) -> dict[str, Any]:
    boolean = label.attribute.type is Type.BOOLEAN
    known = ["true", "false"] if boolean else list(label.attribute.values)
    made: dict[str, Any] = {"name": label.name, "attribute": label.attribute.id, "known": known}
    if label.max_dynamic_values:
        made[DYNAMIC_VALUES_KEY] = label.max_dynamic_values
    return made
