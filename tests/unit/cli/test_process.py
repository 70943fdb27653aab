"""Other programs are run with deadlines, and what they say is kept."""

import sys
import time
from pathlib import Path

import pytest

from glasshouse_cli.errors import StackError
from glasshouse_cli.images.registry import Registry
from glasshouse_cli.process import run, run_logged
from glasshouse_cli.summary import summarize
from glasshouse_cli.up import distinct_lines


def test_a_missing_program_is_no_exception():
    done = run(["glasshouse-has-no-such-program"], timeout=5)

    assert done.code == 127
    assert done.last_line == "glasshouse-has-no-such-program: not found"


def test_a_deadline_ends_the_program(tmp_path: Path):
    started = time.monotonic()

    code = run_logged(
        [sys.executable, "-c", "import time; time.sleep(60)"], log=tmp_path / "log", timeout=0.5
    )

    assert code == 124
    assert time.monotonic() - started < 10


def test_silence_ends_the_program_early(tmp_path: Path):
    started = time.monotonic()

    code = run_logged(
        [sys.executable, "-c", "import time; time.sleep(60)"],
        log=tmp_path / "log",
        timeout=60,
        first_line_timeout=0.5,
    )

    assert code == 124
    assert time.monotonic() - started < 10


def test_output_is_logged_and_returned(tmp_path: Path):
    lines: list[str] = []

    code = run_logged(
        [sys.executable, "-c", "print('one'); print('two'); raise SystemExit(3)"],
        log=tmp_path / "deep" / "log",
        timeout=30,
        on_line=lines.append,
    )

    assert code == 3
    assert lines == ["one", "two"]
    assert (tmp_path / "deep" / "log").read_text().endswith("one\ntwo\n")


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `docker` that prints and exits as the file says."""
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    program.touch()
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(
    ("script", "pulled", "reachable"),
    [
        ("echo '17: Pulling from library/postgres'", True, True),
        ("echo 'dial tcp: lookup registry: no such host' >&2; exit 1", False, False),
        ("echo 'manifest for postgres:99 not found: manifest unknown' >&2; exit 1", False, True),
        ("echo '17: Pulling from library/postgres'; echo EOF; exit 1", False, True),
    ],
)
def test_an_unreachable_registry_is_remembered(
    docker: Path, tmp_path: Path, script: str, pulled: bool, reachable: bool
):
    docker.write_text(f"#!/bin/sh\n{script}\n")
    registry = Registry(tmp_path / "unreachable")

    assert registry.pull("postgres:17", tmp_path / "log", lambda _: None) is pulled
    assert registry.reachable is reachable
    assert Registry(tmp_path / "unreachable").reachable is reachable


def test_a_log_shows_the_cause_not_its_echoes():
    lines = ["cause: disk full", *(f"retry {n} failed" for n in range(100))]

    assert distinct_lines(lines, 15) == ["cause: disk full", "retry 0 failed"]


def test_summary_counts(tmp_path: Path):
    report = tmp_path / "junit.xml"
    report.write_text(
        '<testsuites><testsuite tests="10" failures="1" errors="1" skipped="2" time="3.4"/>'
        "</testsuites>"
    )

    assert summarize(report) == "tests: 6 passed, 2 failed, 2 skipped in 3 s"


def test_summary_of_nothing_is_one_line(tmp_path: Path):
    with pytest.raises(StackError, match="no complete test report"):
        summarize(tmp_path / "missing.xml")
