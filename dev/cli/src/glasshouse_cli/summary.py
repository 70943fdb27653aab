"""One line about a test run, read from its JUnit report."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree  # the report is our own, not foreign input

from glasshouse_cli.errors import StackError


def summarize(report: Path) -> str:
    """How many tests passed, failed and were skipped, and how long they took.

    Raises StackError when the report is missing or cut off.
    """
    try:
        root = ElementTree.parse(report).getroot()  # noqa: S314  # written by our own pytest
    except (OSError, ElementTree.ParseError) as error:
        raise StackError(f"{report}: no complete test report") from error
    suites = list(root.iter("testsuite"))

    def count(key: str) -> int:
        return sum(int(suite.get(key, "0")) for suite in suites)

    bad = count("failures") + count("errors")
    passed = count("tests") - bad - count("skipped")
    seconds = sum(float(suite.get("time", "0")) for suite in suites)
    return f"tests: {passed} passed, {bad} failed, {count('skipped')} skipped in {seconds:.0f} s"
