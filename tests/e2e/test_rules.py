"""The rules do what their tests say, by promtool; the tests would notice if they did not."""

import functools
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from glasshouse_cli import alerting, images, rules
from glasshouse_cli.project import Project
from support import promtool
from support.tools import run_tool


@pytest.fixture(scope="module")
def tags(project: Project, docker: None) -> dict[str, str]:
    return images.resolve(["prometheus", "alertmanager"], checkout=project)


def run_promtool(tags: dict[str, str], folder: Path, *arguments: str) -> tuple[int, str]:
    ran = run_tool(tags["PROMETHEUS_IMAGE"], "promtool", *arguments, folders={folder: "/p"})
    return ran.returncode, ran.stdout + ran.stderr  # why something failed comes last


def test_the_rules_pass_every_lint(project: Project, tags: dict[str, str]) -> None:
    run = functools.partial(run_promtool, tags, project.root / "prometheus")
    promtool.assert_every_lint_passes(run, "/p")


def test_every_rule_does_what_its_tests_say(project: Project, tags: dict[str, str]) -> None:
    run = functools.partial(run_promtool, tags, project.root / "prometheus")
    promtool.assert_every_test_passes(run, "/p")


def mutants(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the rule file with one alert broken at a time, named after what was done to it."""
    for group in document["groups"]:
        for number, rule in enumerate(group["rules"]):
            if "alert" not in rule:
                continue
            changes: dict[str, dict[str, Any]] = {
                "never": {"expr": "vector(1) == 0"},
                "always": {"expr": f"({rule['expr']}) or vector(1)"},
            }
            if "for" in rule:
                changes["at once"] = {"for": "0s"}
                changes["later"] = {"for": "30m"}
            if rule["expr"] == "vector(1)":
                del changes["always"]  # the Watchdog does just that
            for how, change in changes.items():
                broken = list(group["rules"])
                broken[number] = {**rule, **change}
                others = [one for one in document["groups"] if one is not group]
                yield f"{rule['alert']} {how}", {"groups": [*others, {**group, "rules": broken}]}


def only(alert: str, document: dict[str, Any], broken: dict[str, Any]) -> dict[str, Any]:
    """Return of ``broken`` what the tests of one alert ask for: it, and what it is recorded from.

    Evaluating the others for each mutant takes most of the time. document: the rules as they are.
    """
    all_rules = [rule for group in document["groups"] for rule in group["rules"]]
    wanted = [rule["expr"] for rule in all_rules if rule.get("alert") == alert]
    records: set[str] = set()
    while wanted:
        text = wanted.pop()
        for rule in all_rules:
            if (name := rule.get("record", "")) and name in text and name not in records:
                records.add(name)
                wanted.append(rule["expr"])
    groups = [
        {
            **group,
            "rules": [
                rule
                for rule in group["rules"]
                if rule.get("alert") == alert or rule.get("record") in records
            ],
        }
        for group in broken["groups"]
    ]
    return {"groups": [group for group in groups if group["rules"]]}


def test_the_tests_notice_each_alert_that_is_broken(
    project: Project, tags: dict[str, str], tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    folder = project.root / "prometheus"
    shutil.copy(folder / "rules" / "api.yaml", tmp_path)  # other rules read what it records
    expected: dict[str, str] = {}
    sound: set[str] = set()  # the control: as it is, each passes
    for path in sorted((folder / "tests").glob("*.yaml")):
        if path.name == "slos.yaml":  # slow, and made by one function: next test
            continue
        source = yaml.safe_load((folder / "rules" / path.name).read_text(encoding="utf-8"))
        alerts = {
            rule["alert"]
            for group in source["groups"]
            for rule in group["rules"]
            if "alert" in rule
        }
        unbroken = ((f"{alert} as it is", source) for alert in sorted(alerts))
        for name, document in (*mutants(source), *unbroken):
            stem = f"{len(expected):03}"
            tests = yaml.safe_load(path.read_text(encoding="utf-8"))
            alert = name.partition(" ")[0]
            tests["tests"] = [one for one in tests["tests"] if one["name"].startswith(alert)]
            tests["rule_files"] = ["api.yaml", f"rules-{stem}.yaml"]
            (tmp_path / f"rules-{stem}.yaml").write_text(rules.dump(only(alert, source, document)))
            (tmp_path / f"test-{stem}.yaml").write_text(rules.dump(tests))
            expected[f"/p/test-{stem}.yaml"] = name
            if document is source:
                sound.add(name)
    _, output = run_promtool(tags, tmp_path, "test", "rules", *expected)
    passed = {part.partition("\n")[0]: "SUCCESS" in part for part in output.split("test file: ")}
    assert {name for file, name in expected.items() if passed[file]} == sound
    assert len(expected) - len(sound) > 50


# What is done to the rules: a text in an expression, what is put in its place, and the beginning
# or a part of the names of the tests that must notice.
FAULTS = {
    "no minimum of events": (">= 5", ">= 0", "ApiAvailabilityBudgetBurn does not fire for two"),
    "no short window": (
        "and\nslo:error:ratio_rate5m",
        "or\nslo:error:ratio_rate5m",
        "stops paging once 5 minutes are good",
    ),
    "what never ends is left out": (
        "round(0.99 * sum",
        "round(0 * sum",
        "never ends counts as bad",
    ),
    "what is in flight counts": ("[420s]", "[300s]", "payments in flight"),
    "sums without the interval": ("[1h]) * 30", "[1h])", "recorded for every objective"),
    "another objective": ("vector(0.999)", "vector(0.99)", "recorded for every objective"),
    "late runs do not count": ('="false"', '="no"', "AutomationSlaBudgetBurn pages"),
    "every payment counts as late": ('{le=~"120|120.0"}', '{le="1.0"}', "payments in flight"),
}


def test_the_tests_notice_objectives_that_are_broken(
    project: Project, tags: dict[str, str], tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    folder = project.root / "prometheus"
    shutil.copy(folder / "rules" / "api.yaml", tmp_path)  # other rules read what it records
    expected: dict[str, str] = {}
    for number, (name, (right, wrong, noticing)) in enumerate(FAULTS.items()):
        broken = yaml.safe_load((folder / "rules" / "slos.yaml").read_text(encoding="utf-8"))
        tests = yaml.safe_load((folder / "tests" / "slos.yaml").read_text(encoding="utf-8"))
        found = [rule for group in broken["groups"] for rule in group["rules"]]
        assert any(right in rule["expr"] for rule in found), name
        for rule in found:
            rule["expr"] = rule["expr"].replace(right, wrong)
        tests["rule_files"] = ["api.yaml", f"rules-{number}.yaml"]
        tests["tests"] = [one for one in tests["tests"] if noticing in one["name"]]
        (tmp_path / f"rules-{number}.yaml").write_text(rules.dump(broken))
        (tmp_path / f"test-{number}.yaml").write_text(rules.dump(tests))
        expected[f"/p/test-{number}.yaml"] = name
    _, output = run_promtool(tags, tmp_path, "test", "rules", *expected)
    passed = {part.partition("\n")[0]: "SUCCESS" in part for part in output.split("test file: ")}
    assert {name for file, name in expected.items() if passed[file]} == set()


ROUTES = {
    "page": "sandbox,pagerduty,slack",
    "ticket": "sandbox,slack",
    "none": "sandbox",
}


@pytest.mark.parametrize(
    "present",
    [{"sandbox", "pagerduty"}, {"sandbox", "slack"}, {"sandbox"}, {"slack"}, set[str]()],
    ids=["pagerduty", "slack", "none", "slack without the sandbox", "nobody"],
)
@pytest.mark.parametrize("severity", ROUTES)
def test_an_alert_is_routed_by_severity_to_those_who_have_credentials(
    project: Project, tags: dict[str, str], tmp_path: Path, severity: str, present: set[str]
) -> None:
    source = project.root / "alertmanager" / "alertmanager.yaml"
    document = alerting.configured(yaml.safe_load(source.read_text()), present)
    tmp_path.chmod(0o755)
    (tmp_path / "made.yaml").write_text(rules.dump(document))
    for file, folder, receivers in (
        ("alertmanager.yaml", source.parent, ROUTES[severity].split(",")),
        (
            "made.yaml",
            tmp_path,
            [name for name in ROUTES[severity].split(",") if name in present] or ["nobody"],
        ),
    ):
        ran = run_tool(
            tags["ALERTMANAGER_IMAGE"],
            "amtool",
            *("config", "routes", "test", f"--config.file=/a/{file}"),
            *(f"--verify.receivers={','.join(receivers)}", f"severity={severity}", "area=api"),
            folders={folder: "/a"},
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert ran.stdout.strip() == ",".join(receivers)
