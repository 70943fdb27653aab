"""A fault in the catalogue is one line: file, line, and what to do."""

import copy
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from glasshouse_cli.errors import StackError
from glasshouse_cli.telemetry import outputs
from glasshouse_cli.telemetry.catalogue import Privacy
from glasshouse_cli.telemetry.load import load

ROOT = Path(__file__).parents[3]


def refusal(folder: Path, name: str, old: str, new: str) -> str:
    """Change one place of the catalogue; return what is said about it."""
    shutil.copytree(ROOT / "telemetry", folder / "telemetry")
    path = folder / "telemetry" / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(StackError) as caught:
        load(folder)
    return str(caught.value)


def line_of(name: str, text: str) -> int:
    lines = (ROOT / "telemetry" / name).read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, start=1) if text in line)


AMOUNT = "      - id: payment.amount\n        type: double"
CASES = {
    "an unknown type": (
        (AMOUNT, AMOUNT.replace("double", "decimal")),
        (
            "type: double",
            "unknown type decimal of the attribute payment.amount: "
            "use one of boolean, double, int, string, or members",
        ),
    ),
    "a field that repeats its domain": (
        ("      - id: payment.amount", "      - id: payment.payment_amount"),
        (
            "- id: payment.amount",
            "payment.payment_amount says payment twice: rename it payment.amount",
        ),
    ),
    "a metric on a field that does not exist": (
        ("value: payment.amount", "value: payment.sum"),
        (
            "value: payment.amount",
            "the metric payments.amount names the field payment.sum, which does not exist: "
            "define it in an attribute_group",
        ),
    ),
    "a metric on a field that its event does not have": (
        ("value: payment.confirmation_delay", "value: payment.amount_limit"),
        (
            "value: payment.confirmation_delay",
            "the metric payment.confirmation_delay names the field payment.amount_limit, "
            "which does not exist: define it in an attribute_group",
        ),
    ),
    "a label without a bound": (
        ("label: currency, max_dynamic_values: 10", "label: currency"),
        (
            "label: currency, max",
            "the label currency of the metric payments has no bound: say with "
            "max_dynamic_values how many values that are not known get a series",
        ),
    ),
    "an event twice": (
        (
            "  - id: event.payment.failed\n    type: event\n    name: payment.failed",
            "  - id: event.payment.failed\n    type: event\n    name: payment.created",
        ),
        (
            "- id: event.payment.failed",
            "the id of the event payment.created must be event.payment.created",
        ),
    ),
    "a group twice": (
        ("- id: event.payment.failed", "- id: event.payment.created"),
        (
            "- id: event.payment.failed",
            "the group event.payment.created is already in telemetry/payment.yaml:"
            f"{line_of('payment.yaml', '- id: event.payment.created')}: rename or delete one",
        ),
    ),
    "an attribute twice": (
        ("- id: payment.amount", "- id: payment.currency"),
        (
            "- id: payment.amount",
            "the attribute payment.currency is already in telemetry/payment.yaml:"
            f"{line_of('payment.yaml', '- id: payment.currency')}: rename or delete one",
        ),
    ),
    "a state without an event": (
        (
            "            - { id: failed, value: failed, stability: stable }",
            "            - { id: failed, value: failed, stability: stable }\n"
            "            - { id: refunded, value: refunded, stability: stable }",
        ),
        (
            "ref: payment.state",
            "no event of the metric payments is counted as refunded, a member of payment.state: "
            "add the event, or delete the member",
        ),
    ),
    "an event without a state": (
        ("counted_as: failed", "counted_as: broken"),
        ("ref: payment.state", "payment.state has no member broken: add it"),
    ),
    "a key that Weaver does not know": (
        ("    instrument: counter", "    kind: counter"),
        (
            "instrument: counter",
            "a group of type metric has no key kind: use one of annotations, attributes, brief, "
            "id, instrument, metric_name, note, stability, type, unit",
        ),
    ),
    "a key twice": (
        ("    name: payment.created", "    name: payment.created\n    name: payment.made"),
        (None, "the key name stands twice: keep one"),
    ),
    "a member without stability": (
        ("{ id: eur, value: EUR, stability: stable }", "{ id: eur, value: EUR }"),
        ("id: eur", "a member of the attribute payment.currency has no stability: add it"),
    ),
    "an example of another type": (
        ("examples: [10.5]", 'examples: ["10.5"]'),
        (
            "examples: [10.5]",
            "the example '10.5' of the attribute payment.amount is no double",
        ),
    ),
    "no privacy": (
        (
            "[10.5]\n        annotations: { privacy: public, ",
            "[10.5]\n        annotations: { ",
        ),
        (
            'unit: "{currency}"',
            "annotations of the attribute payment.amount has no privacy: add it",
        ),
    ),
    "a user id in the clear": (
        ("privacy: pseudonym", "privacy: public"),
        (
            "privacy: pseudonym",
            "privacy of payment.user_id: pseudonym is for user_id, and user_id is always one",
        ),
    ),
    "buckets that fall": (
        ("[0.5, 1, 2,", "[0.5, 2, 1,"),
        (
            "buckets: [0.5",
            "buckets of the metric payment.confirmation_delay must be numbers that rise",
        ),
    ),
    "a sum without a limit": (
        ("      max: 1.0e+12", "      #"),
        (
            "value: payment.amount",
            "the metric payments.amount: a max over 0 belongs to a value, and only there",
        ),
    ),
    "a metric of an event that does not exist": (
        ("events: [payment.confirmed]", "events: [payment.settled]"),
        (
            "events: [payment.confirmed]",
            "the metric payment.confirmation_delay counts the event payment.settled, "
            "which does not exist",
        ),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_fault_is_one_line(case: str, tmp_path: Path) -> None:
    (old, new), (where, said) = CASES[case]
    line = refusal(tmp_path, "payment.yaml", old, new)
    assert line.startswith("telemetry/payment.yaml:")
    number, _, message = line.removeprefix("telemetry/payment.yaml:").partition(": ")
    assert message == said
    assert number.isdecimal()
    if where is not None:
        added = new.count("\n") - old.count("\n") if where not in old else 0
        assert int(number) == line_of("payment.yaml", where) + added


ODD: tuple[object, ...] = (None, -1, [[]], {"a": 1}, "x")


def places(part: Any, *before: Any) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every value."""
    if before:
        yield before
    steps = part if isinstance(part, dict) else range(len(part) if isinstance(part, list) else 0)
    for step in steps:
        yield from places(part[step], *before, step)


def test_nothing_odd_in_any_place_is_more_than_one_line(tmp_path: Path) -> None:
    path = tmp_path / "telemetry" / "job.yaml"
    path.parent.mkdir()
    for name in ("manifest.yaml", "shared.yaml", "job.yaml"):
        shutil.copy(ROOT / "telemetry" / name, path.parent)
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    # One of each kind of place: a field of each event is read as the first one is.
    ways = {tuple("*" if isinstance(s, int) else s for s in w): w for w in places(document)}
    refusals: list[str] = []
    for *before, last in ways.values():
        for odd in ODD:
            changed = copy.deepcopy(document)
            parent = changed
            for step in before:
                parent = parent[step]
            parent[last] = odd
            path.write_text(yaml.safe_dump(changed), encoding="utf-8")
            try:
                catalogue = load(tmp_path)
            except StackError as error:
                refusals.append(str(error))
            else:
                for make in outputs.OUTPUTS.values():
                    assert make(catalogue)
    assert len(refusals) > len(ways) * len(ODD) / 2
    assert [one for one in refusals if not re.fullmatch(r"telemetry/job\.yaml:\d+: .+", one)] == []


def test_a_field_that_is_never_sent_is_on_no_event(tmp_path: Path) -> None:
    old = "{ ref: notification.template, requirement_level: required }"
    line = refusal(tmp_path, "notification.yaml", old, "{ ref: notification.to }")
    where = line_of("notification.yaml", old)
    assert line == (
        f"telemetry/notification.yaml:{where}: the event notification.queued has "
        "notification.to, which is never sent: take it out"
    )


def test_a_label_needs_its_field_on_each_event(tmp_path: Path) -> None:
    old = "      - { ref: automation.within_sla, requirement_level: required }\n"
    line = refusal(tmp_path, "automation.yaml", old, "")
    assert line.endswith(
        "the metric automation.runs.sla needs the field automation.within_sla, "
        "which automation.run.completed does not have: add it there"
    )


def test_what_is_no_yaml_is_reported_by_line(tmp_path: Path) -> None:
    line = refusal(tmp_path, "job.yaml", "groups:", "groups: [")
    assert line.startswith("telemetry/job.yaml:")
    assert ": not YAML: " in line


def test_the_manifest_names_a_version(tmp_path: Path) -> None:
    line = refusal(tmp_path, "manifest.yaml", "/1.0.0", "")
    assert line == ("telemetry/manifest.yaml:3: schema_url must end in a version, such as /1.0.0")


def test_people_are_in_no_public_field() -> None:
    attributes = load(ROOT).attributes
    assert {name for name, one in attributes.items() if one.privacy is Privacy.PSEUDONYM} == {
        "automation.user_id",
        "notification.user_id",
        "payment.user_id",
    }
    assert {name for name, one in attributes.items() if one.privacy is Privacy.NEVER_SENT} == {
        "notification.data",
        "notification.to",
    }
