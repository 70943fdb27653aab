"""Several processes run the tests: what shares a stack stays together, and some run alone."""

import fcntl
import os
import re
import threading
from fnmatch import fnmatch
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from support.deployed import ROOT
from support.together import alone, groups, remarks

FILES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("test_*.py"))
# The fixtures that are dear, as tests and fixtures name them, and the group of those who do.
SHARED = {
    r"\bstack: Stack\b": "stack chaos",
    r"\bharness: Harness\b": "compatibility",
    r"\b(?:redacting_)?rig: Rig\b": "collector",
    r"\bregistry_(?:folder|storage|tags)\b": "registries",
    r"\brecorded: Cells\b": "frameworks",
}
# Tests and fixtures, but no functions that are handed the same.
_ASKING = r"(?:def test_\w+|@pytest\.fixture[^\n]*\ndef \w+)\("


@pytest.mark.parametrize("fixture", SHARED, ids=SHARED.values())
def test_who_shares_something_dear_is_of_its_group(fixture: str) -> None:
    using = [
        file
        for file in FILES
        if "/unit/" not in file
        and re.search(rf"{_ASKING}[^)]*{fixture}", (ROOT / file).read_text(encoding="utf-8"))
    ]
    assert using
    found = {groups.group_of(f"{file}::test_it[a::b]") for file in using}
    assert found == set(SHARED[fixture].split())


def test_each_pattern_is_of_a_file_of_its_group() -> None:
    for name, patterns in groups.GROUPS.items():
        for pattern in patterns:
            found = [file for file in FILES if fnmatch(file, pattern)]
            assert name in {groups.group_of(file) for file in found}, pattern


def test_a_file_that_shares_nothing_is_a_group_of_its_own() -> None:
    assert groups.group_of("tests/unit/test_a.py::test_b") == "tests/unit/test_a.py"


def test_what_runs_alone_is_the_last_of_its_group_and_of_all() -> None:
    given = [
        ("tests/unit/test_a.py::test_alone", True),
        ("tests/chaos/test_b.py::test_alone", True),
        ("tests/unit/test_a.py::test_b", False),
        ("tests/integration/compatibility/test_d.py::test_e", False),
        ("tests/e2e/test_c.py::test_d", False),
        ("tests/e2e/test_a.py::test_alone", True),
    ]
    ordered = sorted(given, key=lambda one: groups.place(one[0], alone=one[1]))
    assert ordered == [given[4], given[5], given[3], given[2], given[0], given[1]]


def test_the_stack_past_one_machine_is_first_or_where_it_is_alone_last() -> None:
    one, other = "tests/distributed/test_losses.py::test_a", "tests/e2e/test_c.py::test_d"
    assert groups.place(one, alone=False) < groups.place(other, alone=False)
    assert groups.place(one, alone=True) > groups.place("tests/unit/test_a.py::test_b", alone=False)


def is_free(lock: Path, kind: int) -> bool:
    file = os.open(lock, os.O_RDWR)
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(file)
    return True


def test_who_is_alone_waits_for_the_end_of_all_others(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    others = [alone.Turn(lock) for _ in range(2)]
    for other in others:
        other.take(alone=False)
    assert not is_free(lock, fcntl.LOCK_EX)
    one = alone.Turn(lock)
    waiting = threading.Thread(target=lambda: one.take(alone=True), daemon=True)
    waiting.start()
    others[0].end()
    # The second one's tests, and what its fixtures have started, are not over.
    assert not is_free(lock, fcntl.LOCK_EX)
    others[1].end()
    waiting.join(240)
    assert not waiting.is_alive()
    assert not is_free(lock, fcntl.LOCK_SH)
    one.take(alone=False)
    assert is_free(lock, fcntl.LOCK_SH)
    assert not is_free(lock, fcntl.LOCK_EX)


def test_two_that_would_be_alone_are_so_one_after_the_other(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    turns = [alone.Turn(lock) for _ in range(2)]
    inside, most = [0], [0]

    def run(turn: alone.Turn) -> None:
        turn.take(alone=True)
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        turn.take(alone=True)  # the next one of the same process
        inside[0] -= 1
        turn.end()

    threads = [threading.Thread(target=run, args=[turn], daemon=True) for turn in turns]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(240)
    assert not any(thread.is_alive() for thread in threads)
    assert most == [1]


def test_what_is_remarked_elsewhere_is_printed_once() -> None:
    def process(**more: Any) -> pytest.Config:
        return cast("pytest.Config", SimpleNamespace(stash=pytest.Stash(), **more))

    main, killed = process(), SimpleNamespace()
    workers = [process(workeroutput={}) for _ in range(2)]
    for number, worker in enumerate(workers):
        remarks.add(worker, "seeds", [f"{number}"])
        remarks.hand_over(worker)
        remarks.take_over(main, worker)
    remarks.take_over(main, killed)
    remarks.add(main, "seeds", ["own"])
    remarks.hand_over(main)  # of a run in one process: there is nobody to hand it to
    printed: list[str] = []
    terminal = SimpleNamespace(
        config=main, section=lambda name: printed.append(f"== {name}"), write_line=printed.append
    )
    remarks.write(cast("pytest.TerminalReporter", terminal))
    assert printed == ["== seeds", "0", "1", "own"]
