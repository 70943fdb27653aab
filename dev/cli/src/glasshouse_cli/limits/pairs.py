"""Which limit of the Collector belongs to which limit of a backend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from glasshouse_cli.limits.findings import AT_MOST, LESS, Relation
from glasshouse_cli.limits.settings import COLLECTOR, LOKI, PROMETHEUS, TEMPO, Ref
from glasshouse_cli.limits.units import (
    Parse,
    go_duration,
    loki_size,
    mib,
    number,
    prometheus_duration,
)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """`one` has to be at most, or less than, `other`; else `consequence` comes."""

    one: Ref
    relation: Relation
    other: Ref
    consequence: str


def _admission(name: str, parse: Parse, *, zero_is_none: bool = False) -> Ref:
    path = ("processors", "admission", *name.split("."))
    return Ref(file=COLLECTOR, path=path, parse=parse, hidden=1, zero_is_none=zero_is_none)


def _loki(name: str, parse: Parse, *, zero_is_none: bool = False) -> Ref:
    path = ("limits_config", name)
    return Ref(file=LOKI, path=path, parse=parse, zero_is_none=zero_is_none)


MAX_AGE: Final = _loki("reject_old_samples_max_age", prometheus_duration)
STREAMS: Final = _loki("max_global_streams_per_user", number, zero_is_none=True)
SHARDING: Final = Ref(
    file=LOKI, path=("limits_config", "shard_streams", "time_sharding_enabled"), parse=number
)
LOGS_OLDEST: Final = _admission("logs.oldest", go_duration)
SERVICES_MOST: Final = _admission("services.most", number)
METRICS_NEWEST: Final = _admission("metrics.newest", go_duration)

# A record that passes `admission` has to be one that the backend takes.
PAIRS: Final = (
    Pair(
        one=_admission("logs.body_bytes", number),
        relation=AT_MOST,
        other=_loki("max_line_size", loki_size, zero_is_none=True),
        consequence="lines between are refused",
    ),
    Pair(
        one=_admission("logs.attributes", number),
        relation=AT_MOST,
        other=_loki("max_structured_metadata_entries_count", number, zero_is_none=True),
        consequence="records with as many attributes as between are refused",
    ),
    Pair(
        one=_admission("logs.attributes_bytes", number),
        relation=AT_MOST,
        other=_loki("max_structured_metadata_size", loki_size, zero_is_none=True),
        consequence="records with attributes as long as between are refused",
    ),
    Pair(
        one=_admission("logs.index_bytes", number),
        relation=AT_MOST,
        other=_loki("max_label_value_length", number),
        consequence="all records of a service with a name as long as between are refused",
    ),
    Pair(
        one=LOGS_OLDEST,
        relation=LESS,
        other=MAX_AGE,
        consequence="records as old as between, or that age in the queue, are refused",
    ),
    Pair(
        one=MAX_AGE,
        relation=AT_MOST,
        other=_loki("retention_period", prometheus_duration, zero_is_none=True),
        consequence="records as old as between are taken and deleted at once",
    ),
    Pair(
        one=_admission("logs.newest", go_duration),
        relation=LESS,
        other=_loki("creation_grace_period", prometheus_duration),
        consequence="records as far ahead as between are refused",
    ),
    Pair(
        one=_admission("services.bytes_per_second", number, zero_is_none=True),
        relation=AT_MOST,
        other=_loki("ingestion_rate_mb", mib),
        consequence="one service alone makes Loki put off the logs of all",
    ),
    Pair(
        one=_admission("traces.value_bytes", number),
        relation=AT_MOST,
        other=Ref(file=TEMPO, path=("distributor", "max_attribute_bytes"), parse=number),
        consequence="Tempo cuts values as long as between without a mark",
    ),
    Pair(
        one=_admission("traces.oldest", go_duration),
        relation=LESS,
        other=Ref(
            file=TEMPO,
            path=("backend_worker", "compaction", "block_retention"),
            parse=go_duration,
        ),
        consequence="spans as old as between are deleted at once",
    ),
    Pair(
        one=_admission("metrics.oldest", go_duration),
        relation=LESS,
        other=Ref(
            file=PROMETHEUS,
            path=("storage", "tsdb", "out_of_order_time_window"),
            parse=prometheus_duration,
        ),
        consequence="points as old as between, or that age in the queue, are refused",
    ),
)

# What one request of an exporter, by its name behind the slash, has to be less than.
REQUESTS: Final = {
    "loki": (
        _loki("ingestion_burst_size_mb", mib),
        _loki("per_stream_rate_limit_burst", loki_size),
        Ref(file=LOKI, path=("server", "grpc_server_max_recv_msg_size"), parse=number),
    ),
    "tempo": (
        Ref(
            file=TEMPO,
            path=("overrides", "defaults", "ingestion", "burst_size_bytes"),
            parse=number,
        ),
    ),
    "prometheus": (),
}

# All settings of the backends that are read here, so that a test can ask the running programs.
BACKENDS: Final = tuple(
    dict.fromkeys(
        (
            *(ref for pair in PAIRS for ref in (pair.one, pair.other) if ref.file != COLLECTOR),
            *(ref for refs in REQUESTS.values() for ref in refs),
            STREAMS,
            SHARDING,
        )
    )
)
