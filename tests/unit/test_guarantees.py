"""docs/guarantees.md is made of a run, and each promise in it of a test that is there."""

import ast
from pathlib import Path

import pytest

from support.chaos import faults, report, stack_faults
from support.chaos.promises import PROMISES, Promise
from support.distributed import losses

ROOT = Path(__file__).parents[2]
PAGE = report.PAGE.read_text(encoding="utf-8")
RULES = "\n".join(
    path.read_text(encoding="utf-8")
    for folder in ("rules", "templates")
    for path in sorted((ROOT / "prometheus" / folder).glob("*.yaml"))
)
EVERY_FAULT = [*faults.FAULTS, *stack_faults.FAULTS, *losses.LOSSES]


def functions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds)}


def missing(node: str) -> str | None:
    """Return what a node id names that is not there, None when all is."""
    path, _, function = node.partition("::")
    if not (ROOT / path).is_file():
        return path
    return function if function and function not in functions(ROOT / path) else None


def test_the_page_is_that_of_the_figures() -> None:
    assert report.render(report.load()) == PAGE, "run: make chaos, and do not edit the page"


@pytest.mark.parametrize("promise", PROMISES, ids=lambda one: one.name)
def test_a_promise_stands_on_the_page_with_tests_that_are_there(promise: Promise) -> None:
    assert f"**{promise.name}.** {promise.text}" in PAGE
    assert promise.tests
    assert [found for node in promise.tests if (found := missing(node))] == []
    assert [node for node in promise.tests if f"`{node}`" not in PAGE] == []
    assert set(promise.faults) <= faults.BY_NAME.keys() | losses.BY_NAME.keys()


def test_a_test_that_is_not_there_is_noticed() -> None:
    own = "tests/unit/test_guarantees.py"
    assert missing(own) is None
    assert missing(f"{own}::missing") is None
    assert missing(f"{own}::absent") == "absent"
    assert missing("tests/unit/test_absent.py::x") == "tests/unit/test_absent.py"


def test_no_fault_has_the_name_of_another() -> None:
    names = [one.name for one in EVERY_FAULT]
    assert sorted(set(names)) == sorted(names)


def test_each_fault_of_the_collector_belongs_to_a_promise_and_was_run() -> None:
    named = {name for promise in PROMISES for name in promise.faults}
    known = faults.BY_NAME.keys() | losses.BY_NAME.keys()
    assert named | {"none"} == known
    assert known <= report.load().results.keys()


def test_what_was_run_was_as_promised() -> None:
    broken = {name: one["broken"] for name, one in report.load().results.items() if one["broken"]}
    assert broken == {}


@pytest.mark.parametrize("alert", sorted({one.alert for one in EVERY_FAULT if one.alert}))
def test_the_alert_of_a_fault_has_a_rule_and_a_runbook(alert: str) -> None:
    assert f"alert: {alert}\n" in RULES
    page = (ROOT / "runbooks" / f"{alert}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {alert}\n")


def test_make_test_has_a_short_form_of_each_kind() -> None:
    short = {one.name.partition("-")[0] for one in faults.FAULTS if one.in_short}
    assert {"none", "collector", "disk", "queue", "all"} <= short
    assert any(one.in_short for one in stack_faults.FAULTS)
    assert any(one.in_short for one in losses.LOSSES)
