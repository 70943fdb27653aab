"""How a result knows that other work ran beside it."""

import subprocess
import sys

import pytest

from glasshouse_bench import machine

QUIET = [0.2, 0.4, 0.9]
LOUD = [0.2, 3.5, 0.9]


def test_other_work_is_counted_in_cores() -> None:
    before = min(machine.others_cores(0.5) for _ in range(3))
    work = "print(flush=True)\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", work], stdout=subprocess.PIPE) as busy:
        try:
            assert busy.stdout
            busy.stdout.readline()
            most = max(machine.others_cores(0.5) for _ in range(3))
        finally:
            busy.kill()
    # Where all cores are in use already, it gets a share of them.
    assert most > before + 0.3 or most > 1.5
    assert most <= machine.describe()["cores"]


@pytest.mark.parametrize(
    ("before", "after", "is_long", "expected"),
    [
        (QUIET, None, False, 0.0),
        (LOUD, None, False, 3.5),
        (LOUD, [9, 9, 1.2], False, 3.5),
        (LOUD, [9, 9, 1.2], True, 0.0),
        (LOUD, [9, 9, 9], True, 3.5),
        (QUIET, [9, 9, 9], True, 0.0),
    ],
)
def test_a_long_run_is_judged_by_its_end(
    before: list[float], after: list[float] | None, is_long: bool, expected: float
) -> None:
    assert machine.busy({"before": before, "after": after}, is_long=is_long) == expected
