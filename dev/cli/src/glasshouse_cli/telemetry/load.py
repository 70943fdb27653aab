"""Reads `telemetry/*.yaml`, and refuses what Weaver would refuse, or what has no meaning here."""

from __future__ import annotations

import keyword
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from glasshouse_cli.errors import StackError
from glasshouse_cli.telemetry.catalogue import (
    Attribute,
    Catalogue,
    Event,
    Field,
    Label,
    Member,
    Metric,
    Privacy,
    Type,
)
from glasshouse_cli.telemetry.document import Located, Place, read

_Choice = TypeVar("_Choice", bound=str)

FOLDER: Final = "telemetry"
MANIFEST: Final = f"{FOLDER}/manifest.yaml"

# What Weaver's syntax for groups (its version 1) allows, as far as it is used here.
_GROUP_KEYS: Final = {"id", "type", "brief", "note", "stability", "attributes", "annotations"}
_KEYS_BY_TYPE: Final[Mapping[str, set[str]]] = {
    "attribute_group": _GROUP_KEYS,
    "event": _GROUP_KEYS | {"name"},
    "metric": _GROUP_KEYS | {"metric_name", "instrument", "unit"},
}
_ATTRIBUTE_KEYS: Final = {"id", "type", "stability", "brief", "note", "examples", "annotations"}
_REFERENCE_KEYS: Final = {"ref", "requirement_level", "brief", "note", "annotations"}
_MEMBER_KEYS: Final = {"id", "value", "brief", "note", "stability"}
_STABILITIES: Final = ("stable", "release_candidate", "beta", "alpha", "development")
_MANIFEST_KEYS: Final = {"schema_url", "description", "stability"}
_SCHEMA_URL: Final = re.compile(r"https?://[^/]+(/[^/]+)*/\d+\.\d+\.\d+")

# What is ours stands in annotations, where Weaver takes anything.
_OF_ATTRIBUTE: Final = {"privacy", "unit", "open"}
_OF_EVENT: Final = {"level", "warning_if", "message", "counted_as"}
_OF_METRIC: Final = {"events", "value", "max", "buckets"}
_OF_LABEL: Final = {"label", "from", "max_dynamic_values"}

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_METRIC_NAME: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")
_LABEL_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
# What `glasshouse.emit_event` takes beside the fields.
_RESERVED: Final = {"level"}
_LEVELS: Final = ("debug", "info", "warning", "error")
_PYTHON: Final[Mapping[Type, tuple[type, ...]]] = {
    Type.STRING: (str,),
    Type.ENUM: (str,),
    Type.INT: (int,),
    Type.DOUBLE: (int, float),
    Type.BOOLEAN: (bool,),
}


def load(root: Path) -> Catalogue:
    """Return the checked catalogue. Raises StackError with file, line and what to do."""
    _check_manifest(read(root, MANIFEST))
    groups = [
        group
        for path in sorted((root / FOLDER).glob("*.yaml"))
        if (name := f"{FOLDER}/{path.name}") != MANIFEST
        for group in _groups(read(root, name))
    ]
    if not groups:
        raise StackError(f"{FOLDER}/ has no groups: restore it, `git checkout {FOLDER}`")
    return _catalogue(groups, {})


def load_own(root: Path, names: Sequence[str], ours: Catalogue) -> Catalogue:
    """Return the catalogue of a user's own files: their domains beside ours.

    names: the files, from `root`, or absolute. Fields of `ours` that belong to no domain, such as
    error.type, may be used in it. Raises StackError with file, line and what to do.
    """
    groups = [group for name in names for group in _groups(read(root, name))]
    theirs = {event.domain for event in ours.events}
    shared = {name: one for name, one in ours.attributes.items() if one.domain not in theirs}
    found = _catalogue(groups, shared)
    for place, domain in _domains(found):
        if domain in theirs:
            raise place.fault(f"{domain} is a domain of the stack itself: choose another")
    for event in found.events:
        for field in event.fields:
            if field.attribute.domain != event.domain and field.attribute.id not in shared:
                raise event.place.fault(
                    f"the event {event.name} has {field.attribute.id}, a field of another domain: "
                    f"define one that begins with {event.domain}."
                )
    taken = {metric.prometheus_name for metric in ours.metrics}
    for metric in found.metrics:
        if metric.prometheus_name in taken:
            raise metric.place.fault(
                f"the metric {metric.name} is {metric.prometheus_name} in Prometheus, as another "
                "one is: rename it"
            )
        taken.add(metric.prometheus_name)
    return found


def _domains(catalogue: Catalogue) -> list[tuple[Place, str]]:
    own = [(one.place, one.domain) for one in catalogue.attributes.values()]
    return [*own, *((one.place, one.domain) for one in catalogue.events)]


def _catalogue(groups: Sequence[Located], shared: Mapping[str, Attribute]) -> Catalogue:
    """Check what the groups say. shared: fields defined elsewhere that they may refer to."""
    _refuse_twice("group", [(group.text("a group", "id"), group.at("id")) for group in groups])
    attributes = _attributes([one for one in groups if one["type"] == "attribute_group"])
    for name in sorted(attributes.keys() & shared.keys()):
        raise attributes[name].place.fault(
            f"the attribute {name} is there already: delete this one"
        )
    defined, attributes = attributes, {**shared, **attributes}
    events = [_event(one, attributes) for one in groups if one["type"] == "event"]
    _refuse_twice("event", [(event.name, event.place) for event in events])
    by_name = {event.name: event for event in events}
    metrics = [one for one in groups if one["type"] == "metric"]
    _refuse_twice("metric", [(m.text("a metric", "metric_name"), m.place) for m in metrics])
    used = {field.attribute.id for event in events for field in event.fields}
    return Catalogue(
        attributes=defined | {name: shared[name] for name in sorted(used & shared.keys())},
        events=tuple(events),
        metrics=tuple(_metric(one, attributes, by_name) for one in metrics),
    )


def _check_manifest(manifest: Located) -> None:
    manifest.only("the manifest", _MANIFEST_KEYS)
    if not _SCHEMA_URL.fullmatch(manifest.text("the manifest", "schema_url")):
        raise manifest.at("schema_url").fault("schema_url must end in a version, such as /1.0.0")
    _stability("the manifest", manifest)


def _groups(document: Located) -> list[Located]:
    document.only("the file", {"groups"})
    groups = document.mappings("the file", "groups")
    for group in groups:
        kind = group.text("a group", "type")
        if kind not in _KEYS_BY_TYPE:
            known = ", ".join(_KEYS_BY_TYPE)
            raise group.at("type").fault(f"unknown type of group {kind}: use one of {known}")
        group.only(f"a group of type {kind}", _KEYS_BY_TYPE[kind])
        group.text(f"the group {group.get('id')}", "brief")
        if kind != "attribute_group":
            _stability(f"the group {group.get('id')}", group)
    return groups


def _stability(what: str, part: Located) -> None:
    if part.required(what, "stability") not in _STABILITIES:
        known = ", ".join(_STABILITIES)
        raise part.at("stability").fault(f"unknown stability of {what}: use one of {known}")


def _refuse_twice(kind: str, names: Sequence[tuple[str, Place]]) -> None:
    seen: dict[str, Place] = {}
    for name, place in names:
        if name in seen:
            first = f"{seen[name].file}:{seen[name].line}"
            raise place.fault(f"the {kind} {name} is already in {first}: rename or delete one")
        seen[name] = place


def _attributes(groups: Sequence[Located]) -> dict[str, Attribute]:
    found = [
        _attribute(one) for group in groups for one in group.mappings("the group", "attributes")
    ]
    _refuse_twice("attribute", [(one.id, one.place) for one in found])
    return {one.id: one for one in found}


def _attribute(part: Located) -> Attribute:
    name = part.text("an attribute", "id")
    what = f"the attribute {name}"
    part.only(what, _ATTRIBUTE_KEYS)
    if not _NAME.fullmatch(name):
        raise part.at("id").fault(f"{name} must be <domain>.<snake_case>")
    domain, _, field = name.partition(".")
    if field == domain or field.startswith(f"{domain}_"):
        shorter = field.removeprefix(domain).removeprefix("_") or "name"
        raise part.at("id").fault(f"{name} says {domain} twice: rename it {domain}.{shorter}")
    if keyword.iskeyword(field) or field in _RESERVED:
        raise part.at("id").fault(f"{field} has a meaning in Python's `emit_event`: rename {name}")
    _stability(what, part)
    kind, members = _type(part, what)
    ours = part.mapping(what, "annotations")
    ours.only(f"annotations of {what}", _OF_ATTRIBUTE)
    privacy = _one_of(ours, f"annotations of {what}", "privacy", Privacy)
    if (privacy is Privacy.PSEUDONYM) != name.endswith(".user_id"):
        raise ours.at("privacy").fault(
            f"privacy of {name}: pseudonym is for user_id, and user_id is always one"
        )
    opened = ours.get("open", False)
    if not isinstance(opened, bool) or (opened and kind is not Type.ENUM):
        raise ours.at("open").fault(f"open of {what} must be true or false, of an enum")
    return Attribute(
        id=name,
        type=kind,
        brief=part.text(what, "brief"),
        unit=ours.text(what, "unit") if "unit" in ours else None,
        privacy=privacy,
        examples=_examples(part, what, kind),
        members=members,
        open=opened,
        place=part.at("id"),
    )


def _type(part: Located, what: str) -> tuple[Type, tuple[Member, ...]]:
    written = part.required(what, "type")
    if not isinstance(written, Located):
        simple = sorted(set(Type) - {Type.ENUM})
        if written not in simple:
            known = ", ".join(simple)
            raise part.at("type").fault(
                f"unknown type {written} of {what}: use one of {known}, or members"
            )
        return Type(written), ()
    written.only(f"type of {what}", {"members"})
    members = written.mappings(what, "members")
    if not members:
        raise part.at("type").fault(f"{what} has no members: add one")
    for member in members:
        member.only(f"a member of {what}", _MEMBER_KEYS)
        member.text(f"a member of {what}", "value")
        _stability(f"a member of {what}", member)
    for key in ("id", "value"):
        named = [(member.text(f"a member of {what}", key), member.place) for member in members]
        _refuse_twice(f"{key} of a member of {what},", named)
    for member in members:
        if not _LABEL_NAME.fullmatch(member["id"]):
            raise member.at("id").fault(f"the id {member['id']} of a member must be snake_case")
    return Type.ENUM, tuple(Member(id=one["id"], value=one["value"]) for one in members)


def _examples(part: Located, what: str, kind: Type) -> tuple[object, ...]:
    written: object = part.get("examples", [])
    examples: tuple[object, ...] = tuple(_list(written))
    if not examples and kind is not Type.ENUM:
        raise part.place.fault(f"{what} has no examples: add one")
    for example in examples:
        if not is_of(kind, example):
            raise part.at("examples").fault(f"the example {example!r} of {what} is no {kind}")
    return examples


def is_of(kind: Type, value: object) -> bool:
    """Whether a value is of a type. A bool is no number."""
    if isinstance(value, bool):
        return kind is Type.BOOLEAN
    return isinstance(value, _PYTHON[kind])


def _event(group: Located, attributes: Mapping[str, Attribute]) -> Event:
    name = group.text("an event", "name")
    what = f"the event {name}"
    if not _NAME.fullmatch(name):
        raise group.at("name").fault(f"{name} must be <domain>.<what happened>")
    if group["id"] != f"event.{name}":
        raise group.at("id").fault(f"the id of {what} must be event.{name}")
    ours = group.mapping(what, "annotations")
    ours.only(f"annotations of {what}", _OF_EVENT)
    fields = tuple(_field(one, what, attributes) for one in _references(group, what))
    return Event(
        name=name,
        brief=group.text(what, "brief"),
        message=ours.text(what, "message"),
        level=_one_of(ours, f"annotations of {what}", "level", _LEVELS),
        warning_if=_warning_if(ours, what, fields),
        counted_as=ours.text(what, "counted_as"),
        fields=fields,
        place=group.at("name"),
    )


def _references(group: Located, what: str) -> list[Located]:
    references = group.mappings(what, "attributes")
    for one in references:
        one.only(f"a field of {what}", _REFERENCE_KEYS)
    _refuse_twice(
        "field", [(one.text(f"a field of {what}", "ref"), one.place) for one in references]
    )
    return references


def _referred(part: Located, key: str, what: str, attributes: Mapping[str, Attribute]) -> Attribute:
    name = part.text(what, key)
    if name not in attributes:
        raise part.at(key).fault(
            f"{what} names the field {name}, which does not exist: define it in an attribute_group"
        )
    attribute = attributes[name]
    if attribute.privacy is Privacy.NEVER_SENT:
        raise part.at(key).fault(f"{what} has {name}, which is never sent: take it out")
    return attribute


def _field(part: Located, what: str, attributes: Mapping[str, Attribute]) -> Field:
    attribute = _referred(part, "ref", what, attributes)
    level: object = part.get("requirement_level", "recommended")
    if isinstance(level, Located):
        level.only(f"requirement_level of {attribute.id}", {"conditionally_required"})
        condition = level.text(f"requirement_level of {attribute.id}", "conditionally_required")
        return Field(attribute=attribute, required=False, condition=condition)
    if level not in ("required", "recommended", "opt_in"):
        raise part.at("requirement_level").fault(
            f"unknown requirement_level of {attribute.id}: use required, recommended, opt_in "
            "or conditionally_required with a condition"
        )
    return Field(attribute=attribute, required=level == "required", condition=None)


def _warning_if(ours: Located, what: str, fields: Sequence[Field]) -> tuple[str, str] | None:
    condition = ours.mapping(what, "warning_if")
    if not condition:
        return None
    known = {field.attribute.id: field.attribute.values for field in fields}
    [(name, value), *others] = condition.items()
    if others or value not in known.get(name, ()):
        raise condition.place.fault(
            f"warning_if of {what} must be one of its enum fields, with one of its values"
        )
    return name, value


def _metric(
    group: Located, attributes: Mapping[str, Attribute], events: Mapping[str, Event]
) -> Metric:
    name = group.text("a metric", "metric_name")
    what = f"the metric {name}"
    if not _METRIC_NAME.fullmatch(name):
        raise group.at("metric_name").fault(f"{name} must be snake_case, with dots")
    if group["id"] != f"metric.{name}":
        raise group.at("id").fault(f"the id of {what} must be metric.{name}")
    instrument = _one_of(group, what, "instrument", ("counter", "histogram"))
    ours = group.mapping(what, "annotations")
    ours.only(f"annotations of {what}", _OF_METRIC)
    counted = _counted(ours, what, events)
    value = _value(ours, what, attributes, counted) if "value" in ours else None
    labels = tuple(_label(one, what, attributes, counted) for one in _references(group, what))
    _refuse_twice(f"label of {what},", [(one.name, group.at("attributes")) for one in labels])
    buckets = _buckets(ours, what)
    if (instrument == "histogram") != bool(buckets):
        raise ours.at("buckets").fault(f"{what}: a histogram has buckets, a counter has none")
    if buckets and value is None:
        raise ours.place.fault(f"{what} has no value: name the field that is measured")
    maximum = ours.get("max")
    if (maximum is None) != (value is None) or (
        maximum is not None and not (_is_number(maximum) and maximum > 0)
    ):
        raise ours.at("max" if "max" in ours else "value").fault(
            f"{what}: a max over 0 belongs to a value, and only there"
        )
    return Metric(
        name=name,
        brief=group.text(what, "brief"),
        instrument=instrument,
        unit=group.text(what, "unit"),
        events=counted,
        labels=labels,
        value=value,
        maximum=maximum,
        buckets=buckets,
        place=group.at("metric_name"),
    )


def _counted(ours: Located, what: str, events: Mapping[str, Event]) -> tuple[Event, ...]:
    names: object = ours.required(what, "events")
    if not isinstance(names, list) or not names:
        raise ours.at("events").fault(f"events of {what} must be a list of events")
    for name in cast("list[Any]", names):
        if name not in list(events):
            raise ours.at("events").fault(f"{what} counts the event {name}, which does not exist")
    return tuple(events[name] for name in cast("list[str]", names))


def _value(
    ours: Located, what: str, attributes: Mapping[str, Attribute], counted: Sequence[Event]
) -> Attribute:
    value = _referred(ours, "value", what, attributes)
    if value.type not in {Type.INT, Type.DOUBLE}:
        raise ours.at("value").fault(f"the value of {what}, {value.id}, must be int or double")
    _is_on_each(ours.at("value"), what, value, counted)
    return value


def _is_on_each(place: Place, what: str, field: Attribute, counted: Sequence[Event]) -> None:
    for event in counted:
        if not event.has(field):
            raise place.fault(
                f"{what} needs the field {field.id}, which {event.name} does not have: add it there"
            )


def _label(
    part: Located, what: str, attributes: Mapping[str, Attribute], counted: Sequence[Event]
) -> Label:
    attribute = _referred(part, "ref", what, attributes)
    ours = part.mapping(what, "annotations")
    ours.only(f"annotations of {attribute.id}", _OF_LABEL)
    name = ours.text(f"the field {attribute.id} of {what}", "label")
    if not _LABEL_NAME.fullmatch(name):
        raise ours.at("label").fault(f"the label {name} of {what} must be snake_case")
    from_event = ours.get("from") is not None
    if from_event and ours["from"] != "event":
        raise ours.at("from").fault(f"from of the label {name} must be event, or left out")
    if from_event:
        reached = {event.counted_as for event in counted}
        if not reached <= set(attribute.values):
            unknown = ", ".join(sorted(reached - set(attribute.values)))
            raise part.at("ref").fault(f"{attribute.id} has no member {unknown}: add it")
        if unreached := ", ".join(sorted(set(attribute.values) - reached)):
            raise part.at("ref").fault(
                f"no event of {what} is counted as {unreached}, a member of {attribute.id}: "
                "add the event, or delete the member"
            )
    else:
        _is_on_each(part.at("ref"), what, attribute, counted)
    bound = ours.get("max_dynamic_values", 0)
    if not isinstance(bound, int) or isinstance(bound, bool) or bound < 0:
        raise ours.at("max_dynamic_values").fault(
            f"max_dynamic_values of the label {name} must be a whole number from 0"
        )
    closed = attribute.type is Type.BOOLEAN or (attribute.values and not attribute.open)
    if not closed and "max_dynamic_values" not in ours:
        raise part.at("ref").fault(
            f"the label {name} of {what} has no bound: say with max_dynamic_values "
            "how many values that are not known get a series"
        )
    return Label(name=name, attribute=attribute, max_dynamic_values=bound, from_event=from_event)


def _buckets(ours: Located, what: str) -> tuple[float, ...]:
    written: object = ours.get("buckets", [])
    buckets = [one for one in _list(written) if _is_number(one)]
    if len(buckets) != len(_list(written)) or sorted(set(buckets)) != buckets:
        raise ours.at("buckets").fault(f"buckets of {what} must be numbers that rise")
    return tuple(buckets)


def _list(value: object) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else [value]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _one_of(part: Located, what: str, key: str, choices: Iterable[_Choice]) -> _Choice:
    written = part.required(what, key)
    allowed = list(choices)
    if written not in allowed:
        known = ", ".join(allowed)
        raise part.at(key).fault(f"unknown {key} {written} in {what}: use one of {known}")
    return allowed[allowed.index(written)]
