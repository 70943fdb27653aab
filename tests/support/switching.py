"""Run the tests of correctness with each way that the distro can go: `make test-switches`.

    make test-switches                              # the whole suites with each switch
    make test-switches ARGS=--short                 # of each the files that stand for it
    make test-switches ARGS="--only sdk-light"      # one of them; names with commas
    make test-switches ARGS="--sdk FOLDER"          # and the SDK's own tests, of its checkout
    make test-switches ARGS=--json                  # the table for scripts

Exit code 1: a test failed, or a switch ran none.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from support import sdk_tests, switches
from support.reports import read
from support.switches import Switch

ROOT = Path(__file__).parents[2]
_PROCESSES = ("-n", "2", "--dist", "worksteal")
_ABSENT = "is not installed"


def run(switch: Switch, short: bool, arguments: Sequence[str]) -> dict[str, Any]:
    """Run the suites with one switch; return its row."""
    row: dict[str, Any] = {"switch": switch.name, "title": switch.title}
    if not switch.is_there:
        return {**row, "outcome": f"{switch.needs} {_ABSENT}"}
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "junit.xml"
        command = [sys.executable, "-m", "pytest", *(switch.short if short else switch.suites)]
        command += ["-m", "not slow", "-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
        ran = subprocess.run(
            [*command, *_PROCESSES, *arguments],
            cwd=ROOT,
            env={**os.environ, switches.VARIABLE: switch.name},
            stdout=sys.stderr,
            check=False,
        )
        counts = read(report)
    passed = counts["passed"]
    outcome = "passed" if ran.returncode == 0 and passed else "failed"
    return {**row, **counts, "outcome": outcome, "seconds": round(time.monotonic() - started, 1)}


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return the rows as people read them."""
    lines = [f"{'switch':<27}{'outcome':<12}{'passed':>8}{'failed':>8}{'skipped':>9}{'s':>9}"]
    for row in rows:
        counts = [row.get("passed", "-"), len(row.get("failed", ())), row.get("skipped", "-")]
        numbers = f"{counts[0]:>8}{counts[1]:>8}{counts[2]:>9}{row.get('seconds', '-'):>9}"
        lines.append(f"{row['switch']:<27}{row['outcome']:<12}{numbers}")
        lines += [f"    {name}" for name in row.get("failed", ())]
    return "\n".join(lines)


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(
        description="Run the tests with each way that the distro can go."
    )
    parser.add_argument("--short", action="store_true", help="two minutes of all")
    parser.add_argument("--only", default="", help="names of switches, with commas")
    parser.add_argument("--json", action="store_true", help="for scripts")
    parser.add_argument(
        "--sdk", type=Path, help="a checkout of opentelemetry-python, whose tests run, too"
    )
    options, arguments = parser.parse_known_args()
    only = [name.strip() for name in options.only.split(",") if name.strip()]
    known = [one.name for one in switches.SWITCHES]
    if unknown := [name for name in only if name not in known]:
        parser.error(f"--only: there is no switch {unknown[0]!r}: choose of {', '.join(known)}")
    chosen = [one for one in switches.SWITCHES if not only or one.name in only]
    rows = [run(one, options.short, arguments) for one in chosen]
    if options.sdk:
        try:
            rows.append(sdk_tests.run(options.sdk))
        except ValueError as error:
            parser.error(str(error))
    text = json.dumps(rows, indent=1) if options.json else table(rows)
    sys.stdout.write(f"{text}\n")
    return any(row["outcome"] == "failed" for row in rows)


if __name__ == "__main__":
    sys.exit(main())
