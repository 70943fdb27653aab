"""What the catalogue says, once it is checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from glasshouse_cli.telemetry.document import Place


class Type(StrEnum):
    """The type of a field. An enum's values are texts."""

    STRING = "string"
    INT = "int"
    DOUBLE = "double"
    BOOLEAN = "boolean"
    ENUM = "enum"


class Privacy(StrEnum):
    """What a field is for privacy."""

    PUBLIC = "public"
    PSEUDONYM = "pseudonym"
    NEVER_SENT = "never_sent"


@dataclass(frozen=True, kw_only=True)
class Member:
    """A value of an enum, and what code calls it."""

    id: str
    value: str


@dataclass(frozen=True, kw_only=True)
class Attribute:
    """A field as it is called on OTLP. members: those of an enum. open: others occur, too."""

    id: str
    type: Type
    brief: str
    unit: str | None
    privacy: Privacy
    examples: tuple[object, ...]
    members: tuple[Member, ...]
    open: bool
    place: Place

    @property
    def domain(self) -> str:
        return self.id.partition(".")[0]

    @property
    def class_name(self) -> str:
        """What Python calls an enum: PaymentState of payment.state."""
        return "".join(part.capitalize() for part in re.split(r"[._]", self.id))

    @property
    def values(self) -> tuple[str, ...]:
        return tuple(member.value for member in self.members)

    @property
    def example(self) -> object:
        return self.examples[0] if self.examples else self.values[0]


@dataclass(frozen=True, kw_only=True)
class Field:
    """A field of one event. condition: when it is there, of one that is not always there."""

    attribute: Attribute
    required: bool
    condition: str | None


@dataclass(frozen=True, kw_only=True)
class Event:
    """One event. warning_if: the attribute and its value with which it is a warning."""

    name: str
    brief: str
    message: str
    level: str
    warning_if: tuple[str, str] | None
    counted_as: str
    fields: tuple[Field, ...]
    place: Place

    @property
    def domain(self) -> str:
        return self.name.partition(".")[0]

    @property
    def function(self) -> str:
        """The function that emits it."""
        return self.name.replace(".", "_")

    def keyword(self, attribute: Attribute) -> str:
        """What Python calls one of its fields: job.id is `id` of job.finished."""
        name = attribute.id
        return name.removeprefix(f"{self.domain}.").replace(".", "_")

    def has(self, attribute: Attribute) -> bool:
        return any(field.attribute is attribute for field in self.fields)


@dataclass(frozen=True, kw_only=True)
class Label:
    """A label of a metric. max_dynamic_values: how many values beside the known get a series.

    from_event: its value is what the event is counted as, not the field.
    """

    name: str
    attribute: Attribute
    max_dynamic_values: int
    from_event: bool


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric that is counted of events. value: the field that is added up or measured."""

    name: str
    brief: str
    instrument: str
    unit: str
    events: tuple[Event, ...]
    labels: tuple[Label, ...]
    value: Attribute | None
    maximum: float | None
    buckets: tuple[float, ...]
    place: Place

    @property
    def prometheus_name(self) -> str:
        """The name in Prometheus; a histogram's is without _bucket, _sum and _count."""
        name = self.name.replace(".", "_")
        if self.unit == "s":
            name += "_seconds"
        return name + ("_total" if self.instrument == "counter" else "")


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """The whole contract, in the order of its files."""

    attributes: Mapping[str, Attribute]
    events: tuple[Event, ...]
    metrics: tuple[Metric, ...]

    @property
    def enums(self) -> tuple[Attribute, ...]:
        return tuple(one for one in self.attributes.values() if one.type is Type.ENUM)
