"""What the deployed configurations allow: settings, no costs, of which a plan must know."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import yaml

from glasshouse_cli.errors import StackError
from glasshouse_cli.size import quantities

_MIB = 2**20
# Of Loki's own defaults, which its configuration does not name.
_OF_LOKI = {
    "loki_stream_bytes": ("chunk_target_size", "chunk_block_size"),
    "loki_stream_s": ("max_chunk_age",),
}
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def configured(root: Path) -> dict[str, float]:
    """Return the limits that stand in files of this checkout. Raises StackError without one."""
    try:
        return _configured(root)
    except (KeyError, TypeError, StopIteration) as error:
        raise StackError(f"a limit that a plan needs is not configured: {error}") from None


def _configured(root: Path) -> dict[str, float]:
    collector = _read(root / "collector" / "config.yaml")
    loki = _read(root / "loki" / "loki.yaml")["limits_config"]
    tempo = _read(root / "tempo" / "tempo.yaml")["overrides"]["defaults"]["ingestion"]
    compose = _read(root / "docker-compose.yml")["services"]["prometheus"]["command"]
    admission = collector["processors"]["admission"]
    queues = [
        one["sending_queue"]["queue_size"]
        for one in collector["exporters"].values()
        if "sending_queue" in one
    ]
    retention = next(one for one in compose if one.startswith("--storage.tsdb.retention.size="))
    return {
        "queues": len(queues),
        "queue_bytes": max(queues),
        "dead_letter_bytes": collector["extensions"]["dead_letter"]["max_mib"] * _MIB,
        "service_records_per_second": admission["services"]["records_per_second"],
        "services": admission["services"]["most"],
        "series": admission["metrics"]["series"]["total"],
        "loki_bytes_per_second": loki["ingestion_rate_mb"] * _MIB,
        "tempo_bytes_per_second": tempo["rate_limit_bytes"],
        "prometheus_bytes": quantities.size_bytes(
            "--storage.tsdb.retention.size", retention.partition("=")[2]
        ),
    }


def of_loki(url: str) -> dict[str, float]:
    """Return how much of a stream a running Loki holds in memory at most, and how long."""
    text = httpx.get(f"{url}/config", timeout=30, trust_env=False).raise_for_status().text
    ingester = yaml.safe_load(text)["ingester"]
    return {name: sum(_number(ingester[key]) for key in keys) for name, keys in _OF_LOKI.items()}


def _number(value: Any) -> float:
    """Return a number, or the seconds of a duration in Go's form."""
    if isinstance(value, (int, float)):
        return float(value)
    found = _DURATION.fullmatch(str(value))
    if not found or not any(found.groups()):
        raise StackError(f"Loki's configuration has {value!r} where a duration is expected")
    hours, minutes, seconds = (int(one or 0) for one in found.groups())
    return float(hours * 3600 + minutes * 60 + seconds)


def _read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))
