"""What the Collector makes of events: labels that Prometheus keeps, each from its own attribute."""

from typing import Any

import pytest

from support import deployed

# Prometheus sets these itself, and renames or overwrites a label of ours.
OF_PROMETHEUS = {"job", "instance", "le", "quantile", "__name__"}


every_family = pytest.mark.parametrize(
    "family",
    [pytest.param(family, id=family["name"]) for family in deployed.families(deployed.load())],
)


@every_family
def test_no_label_is_one_that_prometheus_sets(family: dict[str, Any]) -> None:
    names = {label["name"] for label in family["labels"]} | {family.get("event_label")}
    assert not names & OF_PROMETHEUS


@every_family
def test_a_label_is_named_after_the_attribute_it_reads(family: dict[str, Any]) -> None:
    [domain] = {event.partition(".")[0] for event in family["events"]}
    for label in family["labels"]:
        name = label["name"].removeprefix(f"{domain}_")
        expected = {f"{domain}.{name}", label["name"].replace("_", ".")}  # error_type: error.type
        assert label["attribute"] in expected, f"collector: label {label['name']}"
    if "value" in family:
        assert family["value"].startswith(f"{domain}.")
