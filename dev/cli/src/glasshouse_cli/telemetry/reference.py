"""Makes docs/events.md: what is emitted, and what is counted of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from glasshouse_cli.telemetry.catalogue import (
    Attribute,
    Catalogue,
    Event,
    Label,
    Metric,
    Privacy,
    Type,
)

_HEAD: Final = """\
<!-- Made from telemetry/ by `make telemetry`. -->

# Events and metrics

A business event is a log record with a name, a constant message and the fields below. Every event
also has the ids of its request and trace. A field has its full name over OTLP (in Loki with `_` for
`.`) and its short one on the console. *pseudonym*: the value leaves the process only as 16 hex
digits, the id of a key and an HMAC-SHA256 under it; *never sent*: on no event.

The Collector counts events into the metrics below. Known values of a label are there from the
start, at 0. Of other values, the first ones get a series each, as many as *others* says; the rest
is counted as `other`.

## Delivery

An event of the backend is written in the database transaction of its change, and sent by a worker
until the Collector has acknowledged it: at least once, whatever is killed in between. Its id is
`log.record.uid`, by which the Collector knows a repeat for 10 minutes and counts it once; time,
trace, ids and resource are those of the change. Its console line is written after the commit, once,
where the change was made; a process that is killed just then writes none. Only `job.finished` of an
execution whose row cannot be written goes straight to the exporter, as an event of `emit_event`
does.

Any service with a database of its own can do the same with `glasshouse.acknowledged`: write what
`prepare_event` returns, call `announce_event` after the commit, hand what is written to
`EventSender.send`, and delete what it says is `acknowledged`. Where it says `unavailable`, send
again; what is `refused`, send alone, then give up. Without a database the guarantee is that of the
exporter: what is in its buffer when the process is killed is lost.
"""


def document(catalogue: Catalogue, head: str = _HEAD) -> str:
    """Return the page's text. head: what stands before the domains."""
    domains = dict.fromkeys(event.domain for event in catalogue.events)
    return head + "".join(_domain(catalogue, one) for one in domains)


def _domain(catalogue: Catalogue, domain: str) -> str:
    events = [event for event in catalogue.events if event.domain == domain]
    used = {field.attribute.id for event in events for field in event.fields}
    attributes = [
        one for one in catalogue.attributes.values() if one.domain == domain or one.id in used
    ]
    metrics = [one for one in catalogue.metrics if one.events[0].domain == domain]
    return (
        f"\n## {domain}\n\n"
        + _table(
            ("event", "level", "message", "when"),
            [(f"`{e.name}`", _level(e), e.message, e.brief) for e in events],
        )
        + "\n"
        + _table(
            ("field", "console", "type", "unit", "privacy", "on", "example", "meaning"),
            [_field(one, domain, events) for one in attributes],
        )
        + "".join(f"\n{_metric(one)}" for one in metrics)
    )


def _level(event: Event) -> str:
    if event.warning_if is None:
        return event.level
    name, value = event.warning_if
    return f"{event.level}; warning with `{name}` {value}"


def _field(attribute: Attribute, domain: str, events: Sequence[Event]) -> Sequence[str]:
    kind = " \\| ".join(attribute.values) if attribute.values else str(attribute.type)
    if attribute.open:
        kind += " \\| …"
    return (
        f"`{attribute.id}`",
        ""
        if attribute.privacy is Privacy.NEVER_SENT
        else f"`{console_name(attribute.id, domain)}`",
        kind,
        f"`{attribute.unit}`" if attribute.unit else "",
        attribute.privacy.replace("_", " "),
        _presence(attribute, events),
        f"`{_example(attribute)}`",
        attribute.brief.replace("|", "\\|"),
    )


def _example(attribute: Attribute) -> str:
    text = str(attribute.example)
    return text.lower() if attribute.type is Type.BOOLEAN else text


def _presence(attribute: Attribute, events: Sequence[Event]) -> str:
    if attribute.privacy is Privacy.NEVER_SENT:
        return "never"
    always: list[str] = []
    sometimes: list[str] = []
    for event in events:
        short = event.name.removeprefix(f"{event.domain}.")
        for field in event.fields:
            if field.attribute is attribute and field.required:
                always.append(short)
            elif field.attribute is attribute:
                sometimes.append(f"{short}, {_condition(field.condition)}")
    if len(always) == len(events):
        return "all"
    return "; ".join([*([", ".join(always)] if always else []), *sometimes]) or "metrics only"


def _condition(condition: str | None) -> str:
    return f"if {condition}" if condition else "where known"


def console_name(attribute: str, domain: str) -> str:
    """Return what the console's formatter makes of a field; a test holds the two together."""
    if not attribute.startswith(f"{domain}."):
        return attribute
    short = attribute.removeprefix(f"{domain}.")
    name = {
        "id": f"{domain}_id",
        "name": domain,
        "session_id": f"{domain}_session_id",
    }.get(short, short)
    return re.sub(r"_([a-z0-9])", lambda match: match[1].upper(), name)


def _metric(metric: Metric) -> str:
    events = ", ".join(f"`{event.name}`" for event in metric.events)
    text = f"**`{metric.prometheus_name}`** ({metric.instrument}): {metric.brief}. Of {events}"
    if metric.value:
        text += f"; the {_verb(metric)} of `{metric.value.id}`, up to {metric.maximum:,.0f}"
    text += ".\n"
    if metric.buckets:
        text += f"Buckets: {', '.join(f'{one:g}' for one in metric.buckets)}.\n"
    labels = [_label(one) for one in metric.labels]
    return text + "\n" + _table(("label", "known values", "others"), labels)


def _verb(metric: Metric) -> str:
    return "sum" if metric.instrument == "counter" else "distribution"


def _label(label: Label) -> Sequence[str]:
    known = label.attribute.values or ("true", "false")
    return f"`{label.name}`", ", ".join(known), str(label.max_dynamic_values)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
