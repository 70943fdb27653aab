"""What the Collector makes of events: labels that Prometheus keeps, each from its own attribute."""

from pathlib import Path
from typing import Any

import pytest
import yaml

COLLECTOR = Path(__file__).parents[2] / "collector"
# Prometheus sets these itself, and renames or overwrites a label of ours.
OF_PROMETHEUS = {"job", "instance", "le", "quantile", "__name__"}


def families() -> list[dict[str, Any]]:
    """Return the connector's families, also where config.yaml takes them from a file."""
    config = yaml.safe_load((COLLECTOR / "config.yaml").read_text(encoding="utf-8"))
    listed = config["connectors"]["event_metrics"]["families"]
    if isinstance(listed, str):
        name = listed.removeprefix("${file:").removesuffix("}").rpartition("/")[2]
        listed = yaml.safe_load((COLLECTOR / name).read_text(encoding="utf-8"))
    return listed


every_family = pytest.mark.parametrize(
    "family", [pytest.param(family, id=family["name"]) for family in families()]
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
        attributes = {f"{domain}.{name}"}
        if label["name"] == "job_name":
            attributes.add("job.job")  # an event has the job's name under this key
        assert label["attribute"] in attributes, f"collector: label {label['name']}"
    if "value" in family:
        assert family["value"].startswith(f"{domain}.")
