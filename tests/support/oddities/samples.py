"""Good items, and the items that become odd: the same, with something in every field."""

import hashlib
import time
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.descriptor import FieldDescriptor as Field

from support.oddities.schema import Schema, Signal

GOOD = 9
ODD = "odd"
# What an odd item's changed attribute is called. It is the last one, so that the others stay.
PROBE = "probe"

_SECOND_NS = 10**9


@dataclass(frozen=True, kw_only=True)
class Marks:
    """What an item is known by: the run, the row, and its number, or "odd".

    run: letters only, so that redaction takes it for a word. sent: when the request is made.
    """

    run: str
    row: str
    sent: int = field(default_factory=time.time_ns)

    @property
    def service(self) -> str:
        return f"compat-{self.run}"

    @property
    def other_service(self) -> str:
        """The service of an odd resource."""
        return f"compat-{self.run}-other"

    @property
    def short(self) -> str:
        """The row in eight letters, for where its name cannot stand."""
        digits = hashlib.sha256(self.row.encode()).hexdigest()[:8]
        return digits.translate(str.maketrans("0123456789", "ghijklmnop"))

    def text(self, number: str) -> str:
        """A line of text that names the item."""
        return f"{number} of {self.row} in {self.run}"

    def trace_id(self, number: str) -> bytes:
        return self._digest(number)[:16]

    def span_id(self, number: str) -> bytes:
        return self._digest(number)[16:24]

    def _digest(self, number: str) -> bytes:
        return hashlib.sha256(f"{self.run} {self.row} {number}".encode()).digest()


def set_attributes(target: Any, marks: Marks, number: str) -> None:
    """Mark a record, span or point."""
    for key, value in (("run", marks.run), ("row", marks.row), ("n", number), (PROBE, "text")):
        add_text(target, key, value)


def add_text(attributes: Any, key: str, value: str) -> Any:
    entry = attributes.add(key=key)
    entry.value.string_value = value
    return entry


def resource(schema: Schema, signal: Signal, service: str) -> Any:
    """Return a message by resource, with one scope and no item."""
    root = schema.message(signal.root)
    add_text(root.resource.attributes, "service.name", service)
    add_text(root.resource.attributes, PROBE, "text")
    scope = getattr(root, signal.scopes).add()
    scope.scope.name = "tests"
    scope.scope.version = "1.0"
    add_text(scope.scope.attributes, PROBE, "text")
    return root


def items(root: Any, signal: Signal) -> Any:
    """Return the list of items in the first scope."""
    return getattr(getattr(root, signal.scopes)[0], signal.items)


def good(schema: Schema, signal: Signal, marks: Marks, number: int) -> Any:
    """Return a plain item, which nothing may happen to."""
    return item(schema, signal, marks, str(number), kind="gauge")


def item(schema: Schema, signal: Signal, marks: Marks, number: str, *, kind: str = "") -> Any:
    """Return one valid item with something in its fields.

    kind: of a metric, as the field is called that holds its points; a gauge when it is none.
    """
    made = schema.message(schema.item(signal).full_name)
    if signal.name == "logs":
        _fill_log(made, marks, number)
    elif signal.name == "traces":
        _fill_span(made, marks, number)
    else:
        _fill_metric(made, marks, number, kind)
    return made


def metric_name(marks: Marks, number: str, kind: str) -> str:
    """An odd metric has a name of its own, so that it is known without its labels."""
    return f"odd.{marks.short}.{kind}" if number == ODD else f"good.{number}"


def fill(message: Any, *, depth: int = 0) -> None:
    """Put something into each plain field of a message that no sample knows."""
    for one in message.DESCRIPTOR.fields:
        if one.is_repeated or (one.containing_oneof and one.containing_oneof.fields[0] is not one):
            continue
        if one.type == Field.TYPE_MESSAGE:
            if depth < 1:
                fill(getattr(message, one.name), depth=depth + 1)
        elif one.type == Field.TYPE_STRING:
            setattr(message, one.name, "text")
        elif one.type == Field.TYPE_BYTES:
            setattr(message, one.name, b"text")
        else:
            setattr(message, one.name, 1)


def _fill_log(record: Any, marks: Marks, number: str) -> None:
    record.time_unix_nano = marks.sent
    record.observed_time_unix_nano = marks.sent
    record.severity_number = 9
    record.severity_text = "INFO"
    record.body.string_value = marks.text(number)
    record.trace_id = marks.trace_id(number)
    record.span_id = marks.span_id(number)
    set_attributes(record.attributes, marks, number)


def _fill_span(span: Any, marks: Marks, number: str) -> None:
    span.trace_id = marks.trace_id(number)
    span.span_id = marks.span_id(number)
    span.name = marks.text(number)
    span.kind = 1
    span.start_time_unix_nano = marks.sent
    span.end_time_unix_nano = marks.sent + _SECOND_NS
    span.status.code = 1
    set_attributes(span.attributes, marks, number)
    if number != ODD:
        return
    event = span.events.add(time_unix_nano=marks.sent, name="event")
    add_text(event.attributes, PROBE, "text")
    link = span.links.add(trace_id=marks.trace_id("link"), span_id=marks.span_id("link"))
    add_text(link.attributes, PROBE, "text")


def _fill_metric(metric: Any, marks: Marks, number: str, kind: str) -> None:
    choice = metric.DESCRIPTOR.oneofs_by_name["data"]
    kind = kind if kind in {one.name for one in choice.fields} else "gauge"
    metric.name = metric_name(marks, number, kind)
    metric.description = "A metric"
    data = getattr(metric, kind)
    if "aggregation_temporality" in data.DESCRIPTOR.fields_by_name:
        data.aggregation_temporality = 2
    if kind == "sum":
        data.is_monotonic = True
    point = data.data_points.add(time_unix_nano=marks.sent, start_time_unix_nano=marks.sent)
    point.start_time_unix_nano -= 60 * _SECOND_NS
    set_attributes(point.attributes, marks, number)
    if kind in ("gauge", "sum"):
        point.as_double = 1.5
    else:
        point.count, point.sum = 3, 4.5
    if kind == "histogram":
        point.explicit_bounds.extend([1.0, 2.0])
        point.bucket_counts.extend([1, 1, 1])
    elif kind == "exponential_histogram":
        point.positive.bucket_counts.extend([1, 2])
    elif kind == "summary":
        point.quantile_values.add(quantile=0.5, value=1.5)
    if number == ODD and "exemplars" in point.DESCRIPTOR.fields_by_name:
        exemplar = point.exemplars.add(time_unix_nano=marks.sent, as_double=1.5)
        exemplar.trace_id, exemplar.span_id = marks.trace_id(number), marks.span_id(number)
        add_text(exemplar.filtered_attributes, PROBE, "text")
