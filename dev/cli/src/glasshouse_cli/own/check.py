"""What can be said of the user's files without starting anything."""

from __future__ import annotations

import difflib
import functools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from glasshouse.redaction import Redactor
from glasshouse_cli import runbooks
from glasshouse_cli.errors import StackError
from glasshouse_cli.own import known, made, promql
from glasshouse_cli.own.folder import METRICS, PARTS, Own
from glasshouse_cli.project import Project
from glasshouse_cli.telemetry.catalogue import Attribute, Catalogue, Privacy
from glasshouse_cli.telemetry.document import Located, Place, read

_SEVERITIES: Final = ("page", "ticket", "none")
_NOTES: Final = ("summary", "description", "runbook_url", "dashboard")
_RUNBOOK: Final = "{{{{ $externalURL }}}}/user/{alert}.md"
_DASHBOARD: Final = re.compile(r"\{\{ \$externalLabels\.grafana \}\}/d/([\w-]+)(\?.*)?")
_SENTENCE: Final = re.compile(r"[A-Z{].*\.", re.DOTALL)
_FEW_WORDS: Final = 8
# Grafana's own, beside those that are provisioned.
_SOURCES: Final = frozenset(
    {"prometheus", "loki", "tempo", "alertmanager", "-- Mixed --", "-- Dashboard --", "grafana"}
)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule of the user's. name: of the alert or the record."""

    place: Place
    name: str
    expr: str
    expr_place: Place


@dataclass(frozen=True, kw_only=True)
class Query:
    """A PromQL query of a dashboard or rule, with its variables filled in."""

    place: Place
    text: str


@dataclass(frozen=True, kw_only=True)
class Found:
    """What the static checks found out. faults: one line each, with file and line."""

    faults: list[StackError]
    queries: list[Query]


def static(checkout: Project, own: Own) -> list[StackError]:
    """Return the faults."""
    return look(checkout, own).faults


def look(checkout: Project, own: Own) -> Found:
    """Read every file, and return the faults and what is left for promtool."""
    checks = _Checks(checkout, own)
    checks.run()
    return Found(faults=checks.faults, queries=checks.queries)


class _Checks:
    def __init__(self, checkout: Project, own: Own) -> None:
        self._checkout = checkout
        self._own = own
        self.faults: list[StackError] = []
        self.queries: list[Query] = []
        self._alerts: dict[str, Place] = {}
        self._recorded: set[str] = set()
        # What leads to a dashboard, where that is written, and its uid.
        self._links: list[tuple[str, Place, str]] = []
        self._rules: list[Rule] = []
        # Of an alert that is in a file that cannot be read nobody can say that it is not there.
        self._all_rules = True
        # Whether a part of the Collector names a service whose events count.
        self._believed = False
        self._catalogue = Catalogue(attributes={}, events=(), metrics=())

    def run(self) -> None:
        for part in PARTS:
            for path in self._own.others(part):
                self._fault(
                    self._own.place(path),
                    f"is not read: its name must end in {PARTS[part]}, directly in {part}/",
                )
        before = len(self.faults)
        self._sources()
        for path in self._own.files("rules"):
            self._all_rules &= self._try(lambda path=path: self._rule_file(path))
        boards = self._boards()
        for name, place, dashboard in self._links:
            if dashboard not in boards and dashboard not in _ours(self._checkout, "dashboards"):
                close = _close(dashboard, [*boards, *_ours(self._checkout, "dashboards")])
                self._fault(
                    place, f"{name} leads to the dashboard {dashboard}, which is not there{close}"
                )
        self._tests()
        self._runbooks()
        for path in self._own.files("collector"):
            self._try(lambda path=path: self._part(path))
        if self._catalogue.events and not self._believed and len(self.faults) == before:
            self._fault(
                self._catalogue.events[0].place,
                "nobody's events are counted: name the service in collector/, under "
                "connectors.event_metrics.services",
            )
        # Names can be unknown only where everything that defines one could be read.
        if len(self.faults) == before:
            self._try(self._names)

    # Sources and what is made of them.

    def _sources(self) -> None:
        try:
            self._catalogue = made.catalogue(self._checkout, self._own)
            made.objectives(self._checkout, self._own)
            for place in made.drift(self._checkout, self._own):
                self._fault(place, "not what telemetry/ and objectives/ make: run `glasshouse own`")
        except StackError as error:
            self.faults.append(error)
            return
        self.faults.extend(privacy(self._catalogue))

    # Rules.

    def _rule_file(self, path: Path) -> None:
        document = self._read(path)
        document.only("the file", {"groups"})
        for group in document.mappings("the file", "groups"):
            for rule in group.mappings("a group", "rules"):
                self._rule(rule)

    def _rule(self, rule: Located) -> None:
        key = "alert" if "alert" in rule else "record"
        name = rule.text("a rule", key)
        what = f"the {key} {name}"
        rule.text(what, "expr")
        place = rule.at("expr")
        self._rules.append(Rule(place=rule.place, name=name, expr=rule["expr"], expr_place=place))
        if key == "record":
            self._recorded.add(name)
            ours = _ours(self._checkout, "records")
            # Of these each objective has series of its own.
            if name in ours and not name.startswith("slo:"):
                self._fault(rule.at(key), f"{what} is recorded by the stack already: rename it")
            return
        if name in _ours(self._checkout, "alerts"):
            self._fault(rule.at(key), f"{what} is already one of the stack's: rename it")
        self._alerts.setdefault(name, rule.at(key))
        self._alert(rule, name, what)

    def _alert(self, rule: Located, name: str, what: str) -> None:
        labels, notes = rule.mapping(what, "labels"), rule.mapping(what, "annotations")
        if labels.get("severity") not in _SEVERITIES:
            known_ones = ", ".join(_SEVERITIES)
            self._fault(
                labels.at("severity"), f"{what}: the label severity must be one of {known_ones}"
            )
        if not labels.get("area"):
            self._fault(
                labels.place, f"{what} has no label area: add it, it groups what fires together"
            )
        for key in _NOTES:
            text = notes.get(key)
            if not isinstance(text, str) or not text.strip():
                self._fault(notes.place, f"{what} has no annotation {key}: add it")
            elif key in ("summary", "description") and not _SENTENCE.fullmatch(text.strip()):
                self._fault(notes.at(key), f"{key} of {what} must be a sentence, with a full stop")
        link = _RUNBOOK.format(alert=name)
        if (written := notes.get("runbook_url")) and written != link:
            self._fault(notes.at("runbook_url"), f'runbook_url of {what} must be "{link}"')
        if isinstance(written := notes.get("dashboard"), str):
            found = _DASHBOARD.fullmatch(written)
            if found is None:
                wanted = "{{ $externalLabels.grafana }}/d/<uid>"
                self._fault(notes.at("dashboard"), f'dashboard of {what} must be "{wanted}"')
            else:
                self._links.append((f"the annotation of {what}", notes.at("dashboard"), found[1]))

    # Tests of rules.

    def _tests(self) -> None:
        checked: set[tuple[str, str]] = set()
        for path in self._own.files("tests"):
            self._try(lambda path=path: checked.update(self._checked(path)))
        for name, place in self._alerts.items():
            for how, text in (("fires", "fires"), ("quiet", "does not fire")):
                if (how, name) not in checked:
                    self._fault(place, f"no test says when {name} {text}: add one in tests/")

    def _checked(self, path: Path) -> Iterator[tuple[str, str]]:
        document = self._read(path)
        document.required("the file", "rule_files")
        for test in document.mappings("the file", "tests"):
            for one in test.mappings("a test", "alert_rule_test"):
                name = one.text("alert_rule_test", "alertname")
                if name not in self._alerts and self._all_rules:
                    self._fault(
                        one.at("alertname"),
                        f"no rule has the alert {name}{_close(name, self._alerts)}",
                    )
                yield ("fires" if one.get("exp_alerts") else "quiet"), name

    # Runbooks.

    def _runbooks(self) -> None:
        pages = {path.stem: path for path in self._own.files("runbooks")}
        for name, place in self._alerts.items():
            if name not in pages:
                self._fault(place, f"{name} has no page: write runbooks/{name}.md")
        for name, path in pages.items():
            place = self._own.place(path)
            if name in _ours(self._checkout, "alerts"):
                self._fault(place, f"{name} is a page of the stack's already: rename it")
            elif name not in self._alerts and self._all_rules:
                self._fault(place, f"no rule has the alert {name}{_close(name, self._alerts)}")
            self._try(lambda path=path: self._page(path))

    def _page(self, path: Path) -> None:
        text = self._own.text(path)
        page = runbooks.read(path)
        lines = text.splitlines()

        def line(start: str) -> Place:
            at = next((n for n, one in enumerate(lines, 1) if one.strip() == start), 1)
            return self._own.place(path, at)

        if page.title.partition("\n")[0] != path.stem:
            self._fault(self._own.place(path), f"the first line must be `# {path.stem}`")
        if tuple(page.sections) != runbooks.SECTIONS:
            wanted = ", ".join(runbooks.SECTIONS)
            self._fault(self._own.place(path), f"must have these headings, in this order: {wanted}")
            return
        for title, body in page.sections.items():
            if len(body.split()) < _FEW_WORDS:
                self._fault(
                    line(f"## {title}"), f"{title} says too little: write what helps at night"
                )
        if "```" not in page.sections["Diagnosis"]:
            self._fault(line("## Diagnosis"), "Diagnosis has no query to paste: add one")
        if "It worked when" not in page.sections["Mitigation"]:
            self._fault(
                line("## Mitigation"), "Mitigation must end with how to see: It worked when …"
            )
        for query in page.queries:
            if not query.text.strip():
                self._fault(line("```promql"), "a query is empty: write it, or take it out")
            elif query.source == "prometheus":
                first = query.text.strip().splitlines()[0]
                self._query(line(first.strip()), query.text)

    # Dashboards.

    def _boards(self) -> set[str]:
        uids: set[str] = set()
        for path in self._own.files("dashboards"):
            try:
                uids.add(self._board(path))
            except StackError as error:
                self.faults.append(error)
        return uids

    def _board(self, path: Path) -> str:
        text = self._own.text(path)
        try:
            document: object = json.loads(text)
        except ValueError as error:
            line = error.lineno if isinstance(error, json.JSONDecodeError) else 1
            raise self._own.place(path, line).fault(f"not JSON: {error}") from None
        if not isinstance(document, dict):
            raise self._own.place(path).fault("must be the JSON of a dashboard")
        board = cast("dict[str, Any]", document)
        lines = text.splitlines()

        def place(needle: str) -> Place:
            at = next((number for number, one in enumerate(lines, 1) if needle in one), 1)
            return self._own.place(path, at)

        if "dashboard" in board or "spec" in board or "elements" in board:
            self._fault(
                self._own.place(path),
                "export it as classic JSON: the dashboard itself, with `uid` at the top",
            )
        if "__inputs" in board:
            self._fault(place('"__inputs"'), "export it without `Export for sharing externally`")
        uid, title = board.get("uid"), board.get("title")
        if uid != path.stem:
            self._fault(place('"uid"'), f"its uid is {uid!r}: the file must be called after it")
        if path.stem in _ours(self._checkout, "dashboards"):
            self._fault(
                self._own.place(path), f"the stack has a dashboard {path.stem}: choose another uid"
            )
        if not isinstance(title, str) or not title.strip():
            self._fault(self._own.place(path), "has no title: add one")
        for panel in known.panels(board):
            what = f"the panel {panel.get('title') or panel.get('id')}"
            for target in known.entries(panel.get("targets")):
                self._target(panel, target, what, place)
        return path.stem

    def _target(
        self,
        panel: Mapping[str, Any],
        entry: Mapping[str, Any],
        what: str,
        place: Callable[[str], Place],
    ) -> None:
        source = known.source(panel, entry)
        title = place(json.dumps(panel.get("title", ""), ensure_ascii=False))
        if source and source not in _SOURCES and not source.startswith("$"):
            close = _close(source, _SOURCES)
            self._fault(title, f"{what} asks the data source {source!r}, which is not there{close}")
        if known.kind(panel, entry) != "prometheus":
            return
        query = entry.get("expr")
        if not isinstance(query, str) or not query.strip():
            self._fault(title, f"{what} has a target without a query: write it, or take it out")
            return
        found = place(json.dumps(query, ensure_ascii=False))
        self._query(found if found.line > 1 else place(json.dumps(query)), known.filled(query))

    # Queries.

    def _query(self, place: Place, text: str) -> None:
        self.queries.append(Query(place=place, text=text))

    def _names(self) -> None:
        """Find names of metrics that nothing has."""
        there = known.metrics(self._checkout, self._own, self._catalogue, self._recorded)
        asked = [(one.place, one.text) for one in self.queries]
        asked += [(rule.expr_place, rule.expr) for rule in self._rules]
        for place, text in asked:
            for name in sorted(promql.metrics(text) - there):
                if known.UNKNOWN not in name:
                    self._fault(
                        place,
                        f"no metric is called {name}{_close(name, there)}; one that a service "
                        f"measures itself is listed in {self._own.prefix}/{METRICS}, one a line",
                    )

    def _part(self, path: Path) -> None:
        connector = self._read(path).mapping("the file", "connectors").get("event_metrics")
        if isinstance(connector, Located) and connector.get("services"):
            self._believed = True

    def _read(self, path: Path) -> Located:
        return read(self._own.root, self._own.name(path))

    def _fault(self, place: Place, text: str) -> None:
        self.faults.append(place.fault(text))

    def _try(self, check: Callable[[], object]) -> bool:
        try:
            check()
        except StackError as error:
            self.faults.append(error)
            return False
        return True


def privacy(catalogue: Catalogue) -> list[StackError]:
    """Return a fault for each public field that redaction would change on its way."""
    keys = made.own_keys(catalogue)
    redactor = _redactor(tuple(keys))
    return [
        one.place.fault(
            f"redaction would change {one.id}, {text}: rename it, or keep it to the service "
            "(privacy: never_sent)"
        )
        for one in catalogue.attributes.values()
        if one.privacy is Privacy.PUBLIC and (text := _changed(one, redactor))
    ]


@functools.cache
def _redactor(own_keys: tuple[str, ...]) -> Redactor:
    # Nothing is stored: any key will do.
    return Redactor.load(key=b"glasshouse check-own", own_keys=own_keys)


def _changed(one: Attribute, redactor: Redactor) -> str | None:
    if (name := redactor.name(one.id)) != one.id:
        return f"its name, to {name}"
    for value in (*one.examples, *one.values):
        if (after := redactor.value(value, one.id)) != value:
            return f"{value!r} to {after!r}"
    return None


def _ours(checkout: Project, kind: str) -> frozenset[str]:
    """Return the names of the stack's own alerts, records or dashboards."""
    return _names_of(checkout.root, kind)


@functools.cache
def _names_of(root: Path, kind: str) -> frozenset[str]:
    if kind == "dashboards":
        return frozenset(path.stem for path in (root / "grafana" / "dashboards").glob("*.json"))
    found: list[str] = []
    for path in sorted((root / "prometheus" / "rules").glob("*.yaml")):
        document = read(root, str(path.relative_to(root)))
        for group in document["groups"]:
            found += [rule[kind[:-1]] for rule in group["rules"] if kind[:-1] in rule]
    return frozenset(found)


def _close(name: str, names: Iterable[str] | Mapping[str, Any]) -> str:
    similar = difflib.get_close_matches(name, list(names), n=1)
    return f": did you mean {similar[0]}?" if similar else ""
