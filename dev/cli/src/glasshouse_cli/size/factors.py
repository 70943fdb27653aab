"""What a record costs at each part: the figures of a result that `make bench-scale` wrote.

No figure of a cost stands in code. `factors.json` beside this file is the newest committed result,
so that a package and an image have it, too; `make sizing` copies it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from glasshouse_cli.errors import StackError

# Of the configurations, at the time: settings, which cost nothing.
LIMITS: Final = (
    *("queues", "queue_bytes", "dead_letter_bytes"),
    *("service_records_per_second", "services", "series"),
    *("loki_bytes_per_second", "loki_stream_bytes", "loki_stream_s"),
    *("tempo_bytes_per_second", "prometheus_bytes"),
)
SCHEMA: Final = 1
KIND: Final = "scale"
SIGNALS: Final = ("logs", "spans", "metrics")
FILE: Final = Path(__file__).with_name("factors.json")
# What has to be there for any plan.
NEEDED: Final = ("edge", "gateway", "kafka", "loki", "tempo", "prometheus")
# Measured as several processes; without them a plan multiplies what one costs.
CLUSTERS: Final = ("loki_cluster", "tempo_cluster", "thanos")
_MIB: Final = 2**20
_US: Final = 1e-6
# A quiet machine's own services take less; above it other work ran meanwhile.
MOST_OTHERS: Final = 0.25


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line through what was measured.

    slope: of one more of what was varied. measured_to: up to there it is linear, and was measured.
    residual: the greatest distance of a point from it, as a share of the point.
    """

    slope: float
    measured_to: float
    residual: float

    @property
    def is_flat(self) -> bool:
        """Whether what was measured did not rise, so that one more counts as nothing."""
        return self.slope == 0


@dataclass(frozen=True, kw_only=True)
class Signal:
    """What records of one kind cost a part.

    cpu: core-seconds a record. fixed: cores of all processes together that any load of it takes,
    whatever its rate. memory: bytes for one more record a second. fixed_memory: as fixed, bytes.
    received, sent and stored: bytes a record on the network and on disk.
    """

    cpu: Line
    fixed: float
    memory: Line
    fixed_memory: float
    received: float
    sent: float
    stored: float


@dataclass(frozen=True, kw_only=True)
class Growth:
    """What one more service, or one more series, costs: core-seconds a second, and bytes."""

    cpu: Line
    memory: Line


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part of the shape.

    processes: how many of it ran in the measurement; costs are those of all together. copies: how
    many of each record they kept. idle_cores, idle_memory: of one process without a load, the
    latter in bytes. origin: "measured", or where else the figures come from.
    """

    name: str
    processes: int
    copies: int
    origin: str
    idle_cores: float
    idle_memory: float
    signals: Mapping[str, Signal]
    services: Growth | None
    series: Growth | None


@dataclass(frozen=True, kw_only=True)
class Factors:
    """A result. cores: of the machine that it was measured on. limits: of the configurations.

    process_cores: how many a process could use. busy: whether other work ran meanwhile.
    """

    path: Path
    measured: str
    commit: str
    processor: str
    cores: int
    process_cores: float
    busy: bool
    parts: Mapping[str, Part]
    limits: Mapping[str, float] = field(default_factory=dict[str, float])

    @property
    def origin(self) -> str:
        """Where and when, in one line."""
        busy = ", on a busy machine: figures are too large rather than too small"
        return (
            f"measured {self.measured[:10]}, commit {self.commit}, {self.cores} cores of "
            f"{self.processor}{busy if self.busy else ''}"
        )


def read(path: Path = FILE) -> Factors:
    """Read a result.

    Raises:
        StackError: it cannot be read, or is none, or something is missing in it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise StackError(
            f"{path}: no factors can be read ({error.strerror}): name a result of make bench-scale "
            "with --factors"
        ) from None
    except ValueError:
        raise _torn(path, "it is no text") from None
    try:
        document: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _torn(path, f"it is no JSON ({error})") from None
    if not isinstance(document, dict):
        raise _torn(path, "it is no JSON object")
    return _factors(path, document)  # pyright: ignore[reportUnknownArgumentType]


def _torn(path: Path, what: str) -> StackError:
    return StackError(
        f"{path} is no result of make bench-scale: {what}; restore it, or name another with "
        "--factors"
    )


def _factors(path: Path, document: Mapping[str, Any]) -> Factors:
    if (document.get("kind"), document.get("schema")) != (KIND, SCHEMA):
        raise _torn(path, f"kind and schema are not {KIND} and {SCHEMA}")
    try:
        machine = document["machine"]
        parts = {name: _part(name, held) for name, held in document["parts"].items()}
        found = Factors(
            path=path,
            measured=str(document["measured"]),
            commit=str(document["source"]["commit"]),
            processor=str(machine["processor"]),
            cores=int(machine["cores"]),
            process_cores=_number(document["settings"]["process_cores"]),
            busy=others_cores(document) > MOST_OTHERS,
            parts=parts,
            limits={name: _number(value) for name, value in document["limits"].items()},
        )
    except KeyError as error:
        raise _torn(path, f"it has no {error.args[0]}") from None
    except (TypeError, ValueError, AttributeError) as error:
        raise _torn(path, f"a value is of another kind ({error})") from None
    if missing := [name for name in NEEDED if name not in parts]:
        raise _torn(path, f"it has no part {', '.join(missing)}")
    if missing := [name for name in LIMITS if name not in found.limits]:
        raise _torn(path, f"it has no limit {', '.join(missing)}")
    if not all(one.processes and one.copies for one in parts.values()):
        raise _torn(path, "a part has no process, or keeps no copy")
    return found


def others_cores(document: Mapping[str, Any]) -> float:
    """Return how many cores others' work had in use before a part was measured, at most."""
    return max(
        (_number(one.get("others_cores", 0)) for one in document["parts"].values()), default=0
    )


def _part(name: str, held: Mapping[str, Any]) -> Part:
    idle = held["idle"]
    try:
        return Part(
            name=name,
            processes=int(held["processes"]),
            copies=int(held["copies"]),
            origin=str(held["origin"]),
            idle_cores=_number(idle["cpu_us"]) * _US,
            idle_memory=_number(idle["memory_mib"]) * _MIB,
            signals={
                one: _signal(value, idle, int(held["processes"]))
                for one, value in held["signals"].items()
            },
            services=_growth(held.get("services")),
            series=_growth(held.get("series")),
        )
    except KeyError as error:
        raise KeyError(f"parts.{name}: {error.args[0]}") from None
    except (TypeError, ValueError) as error:
        raise ValueError(f"parts.{name}: {error}") from None


def _signal(held: Mapping[str, Any], idle: Mapping[str, Any], processes: int) -> Signal:
    def fixed(what: str) -> float:
        intercept = float(held[what]["intercept"])
        return _number(max(0.0, intercept - _number(idle[what]) * processes))

    return Signal(
        cpu=_line(held["cpu_us"], _US),
        fixed=fixed("cpu_us") * _US,
        memory=_line(held["memory_mib"], _MIB),
        fixed_memory=fixed("memory_mib") * _MIB,
        received=_number(held["received_bytes"]),
        sent=_number(held["sent_bytes"]),
        stored=_number(held["stored_bytes"]),
    )


def _growth(held: Mapping[str, Any] | None) -> Growth | None:
    if held is None:
        return None
    return Growth(cpu=_line(held["cpu_us"], _US), memory=_line(held["memory_mib"], _MIB))


def _line(held: Mapping[str, Any], unit: float) -> Line:
    slope, to = float(held["slope"]), _number(held["linear_to"])
    if not math.isfinite(slope):
        raise ValueError(f"a slope of {slope}")
    # That something costs less than nothing is noise.
    return Line(slope=max(0.0, slope) * unit, measured_to=to, residual=_number(held["residual"]))


def _number(value: Any) -> float:
    number = float(value)
    if not 0 <= number < float("inf"):
        raise ValueError(f"{value} is no number from 0 on")
    return number
