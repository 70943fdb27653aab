"""The Collector's configuration as it is deployed: its files, and what it promises."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "collector" / "config.yaml"
FOLDER = "/etc/otelcol/"
# Each record passes these first, in this order, on every way through the Collector.
FIRST = ["memory_limiter", "pii", "admission"]
# Exporters that are read from; all others send to a backend and have a queue.
PULLED = frozenset({"prometheus"})

Document = dict[str, Any]
_INCLUDE = re.compile(r"\$\{file:(" + re.escape(FOLDER) + r"[^}]+)\}")


def compose() -> Document:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))


def mounted_files() -> dict[str, Path]:
    """Return the Collector's files of this checkout by their path in its container."""
    found: dict[str, Path] = {}
    for volume in compose()["services"]["collector"]["volumes"]:
        source, target, *_ = volume.split(":")
        if source.startswith("./"):
            found[target] = ROOT / source
    return found


def file_of(path: str) -> Path:
    """Return the file of this checkout that stands at ``path`` in the Collector's container."""
    files = mounted_files()
    assert path in files, f"docker-compose.yml: services.collector.volumes does not mount {path}"
    return files[path]


def load(path: Path = CONFIG) -> Document:
    """Return a configuration with each ``${file:/etc/otelcol/…}`` in its place, as it is read."""
    return _included(yaml.safe_load(path.read_text(encoding="utf-8")))


def _included(value: Any) -> Any:
    match value:
        case dict():
            return {key: _included(item) for key, item in value.items()}
        case list():
            return [_included(item) for item in value]
        case str() if include := _INCLUDE.fullmatch(value):
            return load(file_of(include[1]))
        case _:
            return value


def families(document: Document) -> list[Document]:
    """Return what the connector makes of events."""
    return document["connectors"]["event_metrics"]["families"]


def ways(document: Document, pipeline: str) -> Iterator[list[str]]:
    """Yield the processors on each way from a receiver to the exporters of ``pipeline``."""
    pipelines = document["service"]["pipelines"]
    own = pipelines[pipeline].get("processors", [])
    for receiver in pipelines[pipeline]["receivers"]:
        if receiver not in document.get("connectors", {}):
            yield list(own)
            continue
        for name, other in pipelines.items():
            if receiver in other["exporters"]:
                yield from ([*before, *own] for before in ways(document, name))


def queued_exporters(document: Document) -> dict[str, Document]:
    """Return the exporters that send to a backend, by name."""
    return {
        name: exporter
        for name, exporter in document["exporters"].items()
        if name.partition("/")[0] not in PULLED
    }


def counted_events(document: Document) -> dict[str, set[str]]:
    """Return what is counted: the attributes that are read of each event, by the event's name."""
    found: dict[str, set[str]] = {}
    for family in families(document):
        read = {label["attribute"] for label in family.get("labels", [])}
        read |= {family[key] for key in ("value",) if key in family}
        for event in family["events"]:
            found.setdefault(event, set()).update(read)
    return found


def broken_promises(document: Document) -> list[str]:
    """Return one line for each promise of the deployed configuration that it does not keep."""
    return [*_unredacted(document), *_lossy_queues(document), *_lossy_storage(document)]


def _unredacted(document: Document) -> Iterator[str]:
    for pipeline, parts in document["service"]["pipelines"].items():
        for way in ways(document, pipeline):
            if way[: len(FIRST)] != FIRST:
                yield (
                    f"service.pipelines.{pipeline}: {', '.join(parts['exporters'])} gets what has "
                    f"passed {way} only, not {FIRST} first"
                )
    for name in FIRST:
        if name not in document["processors"]:
            yield f"processors.{name}: missing"
    if (on_error := document["processors"].get("pii", {}).get("on_error")) != "drop":
        yield f"processors.pii.on_error: {on_error}, so what cannot be checked is passed on"


def _lossy_queues(document: Document) -> Iterator[str]:
    for name, exporter in queued_exporters(document).items():
        queue, retry = exporter.get("sending_queue", {}), exporter.get("retry_on_failure", {})
        at = f"exporters.{name}"
        if not queue.get("enabled"):
            yield f"{at}.sending_queue.enabled: {queue.get('enabled')}, so nothing is queued"
        yield from _stored(document, f"{at}.sending_queue.storage", queue.get("storage"))
        if not queue.get("block_on_overflow"):
            yield f"{at}.sending_queue.block_on_overflow: off, so a full queue drops records"
        if (retry.get("enabled"), retry.get("max_elapsed_time")) != (True, 0):
            yield f"{at}.retry_on_failure: gives up, so an outage loses records"
    yield from _stored(
        document,
        "connectors.event_metrics.storage",
        document["connectors"]["event_metrics"].get("storage"),
    )


def _stored(document: Document, key: str, storage: str | None) -> Iterator[str]:
    if storage is None:
        yield f"{key}: missing, so a restart loses what is held"
    elif storage not in document["service"]["extensions"]:
        yield f"{key}: {storage} is not in service.extensions"


def _lossy_storage(document: Document) -> Iterator[str]:
    for name, extension in document["extensions"].items():
        if name.partition("/")[0] == "file_storage" and extension.get("fsync") is not True:
            yield f"extensions.{name}.fsync: off, so a power cut loses what was acknowledged"
