"""Reads what the Collector makes of events from its configuration."""

from pathlib import Path
from typing import Any

import yaml

COLLECTOR = Path(__file__).parents[2] / "collector"


def families() -> list[dict[str, Any]]:
    """Return the connector's families, also where config.yaml takes them from a file."""
    config = yaml.safe_load((COLLECTOR / "config.yaml").read_text(encoding="utf-8"))
    listed = config["connectors"]["event_metrics"]["families"]
    if isinstance(listed, str):
        name = listed.removeprefix("${file:").removesuffix("}").rpartition("/")[2]
        listed = yaml.safe_load((COLLECTOR / name).read_text(encoding="utf-8"))
    return listed
