"""A free port of the tests stays this process's, also while nothing listens on it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support import ports

TESTS = Path(__file__).parents[1]
OTHER = """
import json, random, sys
from support import ports
random.sample = lambda several, count: [int(sys.argv[1]), *several]
print(json.dumps(ports.free(["same"])["same"]))
"""


def of_another_run(wished: int) -> int:
    """Return the port that another process gets, which tries this one first."""
    ran = subprocess.run(
        [sys.executable, "-c", OTHER, str(wished)],
        cwd=TESTS,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return json.loads(ran.stdout)


def test_nobody_else_is_given_a_port_that_is_kept() -> None:
    [mine] = ports.free(["mine"]).values()
    assert of_another_run(mine) != mine


def test_a_port_of_a_run_that_has_ended_is_free_again() -> None:
    """The control: it is what this process keeps that stops another one."""
    [mine] = ports.free(["mine"]).values()
    other = of_another_run(mine)
    assert of_another_run(other) == other


def test_each_name_has_its_own_and_no_connection_is_given_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_away = tmp_path / "range"
    given_away.write_text("16000\t60999\n", encoding="ascii")
    monkeypatch.setattr(ports, "_GIVEN_AWAY", given_away)
    found = ports.free(str(number) for number in range(50))
    assert len(set(found.values())) == 50
    assert max(found.values()) < 16000
