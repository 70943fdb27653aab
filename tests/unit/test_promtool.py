"""The rules do what their tests say, by a promtool that is installed on this machine."""

import os
import shutil
import subprocess

import pytest

from support import promtool

TIMEOUT_S = 300


@pytest.fixture(scope="module")
def run() -> promtool.Run:
    program = os.environ.get("GLASSHOUSE_PROMTOOL") or shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed: set GLASSHOUSE_PROMTOOL to its path")

    def run(*arguments: str) -> tuple[int, str]:
        ran = subprocess.run(
            [program, *arguments], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
        return ran.returncode, ran.stdout + ran.stderr  # why something failed comes last

    return run


def test_the_rules_pass_every_lint(run: promtool.Run) -> None:
    promtool.assert_every_lint_passes(run)


def test_every_rule_does_what_its_tests_say(run: promtool.Run) -> None:
    promtool.assert_every_test_passes(run)
