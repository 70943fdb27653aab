"""The rules do what their tests say, where promtool is installed."""

import shutil
import subprocess
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2] / "prometheus" / "tests"
PROMTOOL = shutil.which("promtool") or ""


@pytest.mark.skipif(
    not PROMTOOL, reason="promtool is not installed; tests/e2e/test_rules.py has it"
)
@pytest.mark.parametrize("file", [path.name for path in sorted(TESTS.glob("*.yaml"))])
def test_rules_do_what_their_tests_say(file: str) -> None:
    ran = subprocess.run(
        [PROMTOOL, "test", "rules", file], cwd=TESTS, capture_output=True, text=True, timeout=300
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
