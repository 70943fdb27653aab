"""The SDK's own tests, of a checkout of opentelemetry-python, with the light parts and without.

As a plugin of pytest this module lets a run go the chosen way.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from support import switches
from support.reports import read

_SUITES = ("tests/trace", "tests/metrics")
_UTILITIES = Path("tests") / "opentelemetry-test-utils" / "src"
_WAY = "sdk-light"


def pytest_configure() -> None:
    switches.apply()


def run(checkout: Path) -> dict[str, Any]:
    """Return a row: failed is what fails with the light parts alone.

    A checkout need not be of the very release that is installed: what fails without them, too, is
    none of theirs.

    Raises:
        ValueError: the folder is no such checkout.
    """
    checkout = checkout.resolve()
    sdk = checkout / "opentelemetry-sdk"
    if not all((sdk / suite).is_dir() for suite in _SUITES) or not (checkout / _UTILITIES).is_dir():
        raise ValueError(f"--sdk: {checkout} is no checkout of opentelemetry-python")
    without, mine = _counts(checkout, ""), _counts(checkout, _WAY)
    failed = sorted(set(mine["failed"]) - set(without["failed"]))
    same = without["passed"] > 0 and without["passed"] == mine["passed"]
    return {
        "switch": "the SDK's own tests",
        "title": f"tests of {checkout.name} with {_WAY} and without",
        **mine,
        "failed": failed,
        "outcome": "passed" if same and not failed else "failed",
        "fail_without": len(without["failed"]),
    }


def _counts(checkout: Path, way: str) -> dict[str, Any]:
    here = Path(__file__).parents[1]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "junit.xml"
        # Without a configuration: ours would turn warnings into errors.
        command = [sys.executable, "-m", "pytest", *_SUITES, "-q", "-c", os.devnull, "--rootdir=."]
        command += ["--import-mode=importlib", "-p", "no:cacheprovider", "-p", __name__]
        subprocess.run(
            [*command, f"--junitxml={report}"],
            cwd=checkout / "opentelemetry-sdk",
            env={
                **os.environ,
                switches.VARIABLE: way,
                "PYTHONPATH": f"{here}{os.pathsep}{checkout / _UTILITIES}",
            },
            stdout=sys.stderr,
            check=False,
        )
        return read(report)
