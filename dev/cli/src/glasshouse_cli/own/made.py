"""The files that are made of a user's own catalogue and objectives, in the same folder."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

from glasshouse.redaction import policy
from glasshouse.redaction.names import normalise
from glasshouse_cli import rules, slos
from glasshouse_cli.errors import StackError
from glasshouse_cli.files import write_atomically
from glasshouse_cli.own import events_module
from glasshouse_cli.own.folder import Own
from glasshouse_cli.project import Project
from glasshouse_cli.telemetry import families, reference
from glasshouse_cli.telemetry.catalogue import Attribute, Catalogue, Privacy
from glasshouse_cli.telemetry.document import Located, Place, read
from glasshouse_cli.telemetry.load import load, load_own

_HEAD: Final = "# Made from {source} by `glasshouse own`. Change it there.\n"
_PAGE: Final = """\
<!-- Made from telemetry/ by `glasshouse own`. Change it there. -->

# Events and metrics

Fields have these names over OTLP, and the short ones on the console of a service that runs with
the distro. Known values of a label are there from the start, at 0; of other values, the first ones
get a series each, as many as *others* says, and the rest is counted as `other`.
"""
_OBJECTIVE_KEYS: Final = {
    "name",
    "alert",
    "promise",
    "objective",
    "area",
    "total",
    "bad",
    "within",
    "unfinished",
}
_TEXTS: Final = ("name", "alert", "promise", "area", "total", "bad")


def catalogue(checkout: Project, own: Own) -> Catalogue:
    """Return the user's catalogue. Raises StackError with file, line and what to do."""
    names = [own.name(path) for path in own.files("telemetry")]
    return load_own(own.root, names, _stack(checkout.root))


@functools.cache
def _stack(root: Path) -> Catalogue:
    return load(root)


def objectives(checkout: Project, own: Own) -> slos.Slos:
    """Return the user's objectives, with our periods and burn rates.

    Raises StackError with file, line and what to do.
    """
    ours = slos.load(checkout.root / "prometheus" / "slos.yaml")
    names = {one.name: "prometheus/slos.yaml" for one in ours.slos}
    alerts = {one.alert: "prometheus/slos.yaml" for one in ours.slos}
    found: list[slos.Slo] = []
    for path in own.files("objectives"):
        document = read(own.root, own.name(path))
        document.only("the file", {"selectors", "slos"})
        selectors = document.mapping("the file", "selectors")
        for entry in document.mappings("the file", "slos"):
            one = _objective(entry, selectors, checkout, own.name(path))
            for kind, key, taken in (("objective", "name", names), ("alert", "alert", alerts)):
                if (value := getattr(one, key)) in taken:
                    raise entry.at(key).fault(
                        f"the {kind} {value} is already in {taken[value]}: rename it"
                    )
                taken[value] = own.name(path)
            found.append(one)
    return slos.Slos(
        period=ours.period,
        minimum_bad_events=ours.minimum_bad_events,
        burn_rates=ours.burn_rates,
        selectors={},
        records=[],
        slos=found,
    )


def _objective(
    entry: Located, selectors: Mapping[str, str], checkout: Project, file: str
) -> slos.Slo:
    entry.only("an objective", _OBJECTIVE_KEYS)
    for key in _TEXTS:
        entry.text("an objective", key)
    for key in ("objective", "within"):
        value: object = entry.get(key, 0)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise entry.at(key).fault(f"{key} of an objective must be a number")
    if (late := entry.get("unfinished")) is not None:
        if not isinstance(late, Located):
            raise entry.at("unfinished").fault("unfinished must be a mapping")
        for key in late:
            late.text("unfinished", key)
    alone = {
        "period": "30d",
        "minimum_bad_events": 0,
        "burn_rates": [],
        "selectors": dict(selectors),
        "records": [],
        "slos": [entry],
    }
    try:
        [one] = slos.read(alone, file).slos
        if one.unfinished is not None:
            slos.seconds(one.unfinished.deadline)
    except StackError as error:
        text = str(error).removeprefix(f"{file}: ")
        raise entry.place.fault(text) from error
    return one


def documents(checkout: Project, own: Own) -> dict[Path, str]:
    """Return each file that is made, with its text. Raises StackError for a fault in a source."""
    found, read_objectives = catalogue(checkout, own), objectives(checkout, own)
    made: dict[Path, str] = {}
    if found.events:
        made[own.folder / "collector" / "events.yaml"] = _collector(found)
        made[own.folder / "events.md"] = reference.document(found, _PAGE)
        made[own.folder / "events.py"] = events_module.module(found)
    if read_objectives.slos:
        made[own.folder / "rules" / "objectives.yaml"] = _rules(read_objectives)
    return made


def places(own: Own) -> dict[Path, str]:
    """Return the places of made files, with the start by which a made one is known."""
    names = ("collector/events.yaml", "events.md", "events.py", "rules/objectives.yaml")
    starts = (
        "# Made from telemetry/",
        "<!-- Made from",
        '"""Events of one',
        "# Made from objectives/",
    )
    return {own.folder / name: start for name, start in zip(names, starts, strict=True)}


def write(checkout: Project, own: Own) -> list[str]:
    """Write what is made, take away what is made no more; return the names of what changed.

    Raises StackError for a fault in a source, and where a file that is not ours has the name.
    """
    made, changed = documents(checkout, own), list[str]()
    for path, start in places(own).items():
        current = own.text(path) if path.is_file() else None
        wanted = made.get(path)
        if current == wanted:
            continue
        if current is not None and not current.startswith(start):
            if wanted is None:
                continue
            raise own.place(path).fault("`glasshouse own` makes this file: give yours another name")
        try:
            if wanted is None:
                path.unlink()
            else:
                write_atomically(path, wanted)
        except OSError as error:
            raise StackError(
                f"{own.name(path)} cannot be written: {error.strerror}: make the folder writable, "
                "or run `glasshouse own` as its owner"
            ) from error
        changed.append(own.name(path))
    return changed


def drift(checkout: Project, own: Own) -> list[Place]:
    """Return the places of files that are not what the sources make."""
    made = documents(checkout, own)
    found: list[Place] = []
    for path, start in places(own).items():
        current = own.text(path) if path.is_file() else None
        stale = current is not None and path not in made and current.startswith(start)
        if stale or (path in made and made[path] != current):
            found.append(own.place(path))
    return found


def own_keys(found: Catalogue) -> list[str]:
    """Return the ids that redaction is to take for ids, as the policy writes names.

    None that has a word such as card in its name: there a number of a person is looked for.
    """
    names = {normalise(one.id) for one in found.attributes.values() if _is_own_id(one)}
    return sorted(name for name in names if _about_people().isdisjoint(name.split("_")))


@functools.cache
def _about_people() -> frozenset[str]:
    return policy.load(policy.packaged_policy()).exempt_numbers.unless


def _is_own_id(attribute: Attribute) -> bool:
    return attribute.privacy is Privacy.PUBLIC and attribute.id.endswith(("_id", ".id"))


def _collector(found: Catalogue) -> str:
    parts: dict[str, Any] = {}
    if keys := own_keys(found):
        parts["processors"] = {"pii": {"own_keys": keys}}
    if made := families.families(found):
        parts["connectors"] = {"event_metrics": {"families": cast("list[Any]", _escaped(made))}}
    return _HEAD.format(source="telemetry/") + families.dump(parts)


def _escaped(value: Any) -> Any:
    # The Collector fills in what stands behind a $.
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, list):
        return [_escaped(one) for one in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {key: _escaped(one) for key, one in cast("dict[str, Any]", value).items()}
    return value


def _rules(read_objectives: slos.Slos) -> str:
    groups: Sequence[Mapping[str, Any]] = slos.document(read_objectives)["groups"]
    # The windows between them are made by rules/slos.yaml in the checkout, of every objective.
    kept = {"slo-events": "own-objectives", "slo-alerts": "own-objective-alerts"}
    chosen = [{**one, "name": kept[one["name"]]} for one in groups if one["name"] in kept]
    return _HEAD.format(source="objectives/") + rules.dump({"groups": chosen})
