"""OTLP as its own descriptor defines it: every field, in every place where it can stand."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor import FieldDescriptor as Field
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

# Loaded for the descriptors that they register.
LOADED = (logs_pb2, metrics_pb2, trace_pb2)


@dataclass(frozen=True, kw_only=True)
class Signal:
    """One signal: its message by resource, and the fields that lead from there to its items."""

    name: str
    root: str
    scopes: str
    items: str


SIGNALS = {
    signal.name: signal
    for signal in (
        Signal(
            name="logs",
            root="opentelemetry.proto.logs.v1.ResourceLogs",
            scopes="scope_logs",
            items="log_records",
        ),
        Signal(
            name="traces",
            root="opentelemetry.proto.trace.v1.ResourceSpans",
            scopes="scope_spans",
            items="spans",
        ),
        Signal(
            name="metrics",
            root="opentelemetry.proto.metrics.v1.ResourceMetrics",
            scopes="scope_metrics",
            items="metrics",
        ),
    )
}


@dataclass(frozen=True, kw_only=True)
class Place:
    """One field where it stands: the way to it from its start.

    start: the message that the way begins at; an item (LogRecord, Span, Metric) when ``of_item``,
    else the message by resource. again: the same field has stood in an earlier place.
    """

    signal: Signal
    start: Descriptor
    way: tuple[Field, ...]
    of_item: bool
    again: bool

    @property
    def field(self) -> Field:
        return self.way[-1]

    @property
    def group(self) -> str:
        """The message and the field, such as "KeyValue.key"."""
        assert self.field.containing_type is not None
        return f"{self.field.containing_type.name}.{self.field.name}"

    @property
    def name(self) -> str:
        """The way from the nearest message with a meaning of its own, such as
        "LogRecord.attributes.key" or "Resource.attributes.value.int_value"."""
        fields = list(self.way)
        start = self.start
        while not self.of_item and len(fields) > 1:
            start = inner(fields.pop(0))
            if start.name in ("Resource", "InstrumentationScope"):
                break
        return ".".join([start.name, *(field.name for field in fields)])


@dataclass(frozen=True, kw_only=True)
class Schema:
    """The messages of one version of OTLP."""

    pool: descriptor_pool.DescriptorPool

    def message(self, name: str) -> Any:
        """Return an empty message of this full name."""
        return message_factory.GetMessageClass(self.pool.FindMessageTypeByName(name))()

    def root(self, signal: Signal) -> Descriptor:
        return self.pool.FindMessageTypeByName(signal.root)

    def item(self, signal: Signal) -> Descriptor:
        return inner(self._items(signal))

    def _items(self, signal: Signal) -> Field:
        scopes = inner(self.root(signal).fields_by_name[signal.scopes])
        return scopes.fields_by_name[signal.items]

    def places(self, signal: Signal) -> Iterator[Place]:
        """Yield every field of every message of the signal, those of its items first.

        A message that holds itself, as an AnyValue can, is entered once on one way.
        """
        seen: set[str] = set()
        root, item = self.root(signal), self.item(signal)
        for start, beyond in ((item, ""), (root, self._items(signal).full_name)):
            for way in _ways(start, (), frozenset(), beyond):
                again = way[-1].full_name in seen
                seen.add(way[-1].full_name)
                yield Place(signal=signal, start=start, way=way, of_item=start is item, again=again)


def inner(field: Field) -> Descriptor:
    """Return the message that a field holds."""
    assert field.message_type is not None, f"{field.full_name} holds no message"
    return field.message_type


def current() -> Schema:
    """Return the version of OTLP that is installed."""
    return Schema(pool=descriptor_pool.Default())


def _ways(
    message: Descriptor, above: tuple[Field, ...], entered: frozenset[str], beyond: str
) -> Iterator[tuple[Field, ...]]:
    """Yield the ways to all fields below ``message``; not into the field ``beyond``."""
    for field in message.fields:
        way = (*above, field)
        yield way
        held = field.message_type
        if held is not None and held.full_name not in entered and field.full_name != beyond:
            yield from _ways(held, way, entered | {held.full_name}, beyond)
