"""What is asked: a load, and the bounds within which it is to be carried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from glasshouse_cli.errors import StackError
from glasshouse_cli.size import quantities
from glasshouse_cli.size.factors import SIGNALS, Factors

# How many of each record a part keeps, where it is more than one process.
COPIES: Mapping[str, int] = {"kafka": 3, "loki": 3, "tempo": 2, "prometheus": 2}
# Of these a majority has to take a record: one of two is none.
_BY_MAJORITY = ("kafka", "loki")


@dataclass(frozen=True, kw_only=True)
class Load:
    """What services send. logs, spans, metrics: records a second, of metrics samples.

    series: how many different ones the samples belong to. hosts: on which services run.
    """

    logs: float
    spans: float
    metrics: float
    services: int
    hosts: int
    series: int
    retention_s: float

    @property
    def rates(self) -> dict[str, float]:
        """Records a second by signal."""
        return {one: getattr(self, one) for one in SIGNALS}

    @property
    def records(self) -> float:
        """All records a second."""
        return sum(self.rates.values())

    def as_dict(self) -> dict[str, Any]:
        return {
            **self.rates,
            "services": self.services,
            "hosts": self.hosts,
            "series": self.series,
            "retention_s": self.retention_s,
        }


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Headroom, and what there is to put it on.

    cpu_use, memory_use, disk_use: the share of what is provided that may be in use. process_cores:
    how many cores one process is planned to take. machine_cores, machine_memory, machine_disk: one
    machine, the last two in bytes. kafka_retention_s: how long brokers keep a record.
    """

    cpu_use: float
    memory_use: float
    disk_use: float
    process_cores: float
    machine_cores: float
    machine_memory: float
    machine_disk: float
    kafka_retention_s: float
    copies: Mapping[str, int]

    def as_dict(self) -> dict[str, Any]:
        return {
            "cpu_use": self.cpu_use,
            "memory_use": self.memory_use,
            "disk_use": self.disk_use,
            "process_cores": self.process_cores,
            "machine_cores": self.machine_cores,
            "machine_memory_bytes": self.machine_memory,
            "machine_disk_bytes": self.machine_disk,
            "kafka_retention_s": self.kafka_retention_s,
            "copies": dict(self.copies),
        }


def load(
    *,
    logs: str,
    spans: str,
    metrics: str,
    retention: str,
    services: str,
    hosts: str,
    series: str | None,
    metric_interval: str,
) -> Load:
    """Return what the options say. Raises StackError for one that means nothing."""
    samples = quantities.rate("--metrics", metrics)
    interval_s = quantities.interval_s("--metric-interval", metric_interval)
    return Load(
        logs=quantities.rate("--logs", logs),
        spans=quantities.rate("--spans", spans),
        metrics=samples,
        services=quantities.count("--services", services),
        hosts=quantities.count("--hosts", hosts),
        series=(
            int(quantities.up(samples * interval_s))
            if series is None
            else quantities.count("--series", series, least=0)
        ),
        retention_s=quantities.duration_s("--retention", retention),
    )


def bounds(
    found: Factors,
    *,
    cpu_use: str,
    memory_use: str,
    disk_use: str,
    process_cores: str | None,
    machine_cores: str,
    machine_memory: str,
    machine_disk: str,
    kafka_retention: str,
    replicas: str | None,
) -> Bounds:
    """Return what the options say; a process gets no more cores than it was measured with.

    Raises:
        StackError: one of them means nothing.
    """
    copies = dict(COPIES)
    if replicas is not None:
        copies |= quantities.counts("--replicas", replicas, tuple(COPIES))
    for name in _BY_MAJORITY:
        if copies[name] == 2:
            raise StackError(
                f"--replicas {name}=2: two cannot lose one, as a majority of two is both; write "
                f"{name}=1 or {name}=3"
            )
    return Bounds(
        cpu_use=quantities.share("--cpu-use", cpu_use),
        memory_use=quantities.share("--memory-use", memory_use),
        disk_use=quantities.share("--disk-use", disk_use),
        process_cores=(
            found.process_cores
            if process_cores is None
            else quantities.cores("--process-cores", process_cores)
        ),
        machine_cores=quantities.cores("--machine-cores", machine_cores),
        machine_memory=quantities.size_bytes("--machine-memory", machine_memory),
        machine_disk=quantities.size_bytes("--machine-disk", machine_disk),
        kafka_retention_s=quantities.duration_s("--kafka-retention", kafka_retention),
        copies=copies,
    )
