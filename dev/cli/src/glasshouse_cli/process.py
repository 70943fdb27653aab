"""Runs other programs: always with a deadline, never through a shell."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from glasshouse_cli.errors import StackError

_STOP_GRACE_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A program that has ended. `code` is 127 if it does not exist, 124 if it took too long."""

    code: int
    out: str
    err: str

    @property
    def ok(self) -> bool:
        return self.code == 0

    @property
    def last_line(self) -> str:
        """The last line it wrote, which most programs use for the cause of a failure."""
        lines = (self.err.strip() or self.out.strip()).splitlines()
        return lines[-1].strip() if lines else f"exit code {self.code}"


def run(
    argv: Sequence[str],
    *,
    timeout: float,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Finished:
    """Run a program to its end and return what it wrote; never raises on its failure.

    timeout: seconds; after it the program is killed. env: added to ours.
    """
    try:
        done = subprocess.run(  # noqa: S603  # an argument list of ours, no shell
            list(argv),
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=timeout,
            env=_environment(env),
            cwd=cwd,
            check=False,
        )
    except FileNotFoundError:
        return Finished(code=127, out="", err=f"{argv[0]}: not found")
    except PermissionError:
        return Finished(code=126, out="", err=f"{argv[0]}: not allowed to run it")
    except subprocess.TimeoutExpired:
        return Finished(code=124, out="", err=f"{argv[0]}: no answer within {timeout:.0f} s")
    return Finished(code=done.returncode, out=done.stdout, err=done.stderr)


def run_logged(
    argv: Sequence[str],
    *,
    log: Path,
    timeout: float,
    first_line_timeout: float | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    on_line: Callable[[str], None] | None = None,
) -> int:
    """Run a program, append all it writes to `log`, and return its exit code.

    timeout: seconds for the whole run. first_line_timeout: seconds until its first output.
    Both end the program and return 124. It is ended as well when we are interrupted.
    Raises StackError when the program does not exist.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as file:
        file.write(f"$ {' '.join(argv)}\n")
        file.flush()
        try:
            child = subprocess.Popen(  # noqa: S603  # an argument list of ours, no shell
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                env=_environment(env),
                cwd=cwd,
            )
        except FileNotFoundError as error:
            raise StackError(f"{argv[0]} is not installed") from error
        spoke = threading.Event()
        reader = threading.Thread(target=_copy, args=(child, file, on_line, spoke), daemon=True)
        reader.start()
        try:
            return _wait(child, spoke, timeout, first_line_timeout)
        finally:
            _stop(child)
            reader.join(timeout=_STOP_GRACE_S)


def run_attached(argv: Sequence[str]) -> int:
    """Run a program on our terminal until it ends or the user interrupts it."""
    try:
        return subprocess.run(list(argv), check=False).returncode  # noqa: S603  # no shell
    except FileNotFoundError as error:
        raise StackError(f"{argv[0]} is not installed") from error


def start_detached(argv: Sequence[str], *, log: Path) -> None:
    """Start a program that outlives us, in its own session, its output in `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as file:
        subprocess.Popen(  # noqa: S603  # an argument list of ours, no shell
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
            cwd="/",
        )


def _copy(
    child: subprocess.Popen[str],
    file: TextIO,
    on_line: Callable[[str], None] | None,
    spoke: threading.Event,
) -> None:
    assert child.stdout is not None  # noqa: S101  # Popen was given a pipe
    with child.stdout as output:
        for line in output:
            spoke.set()
            file.write(line)
            file.flush()
            if on_line is not None:
                on_line(line.rstrip())


def _wait(
    child: subprocess.Popen[str],
    spoke: threading.Event,
    timeout: float,
    first_line_timeout: float | None,
) -> int:
    deadline = time.monotonic() + timeout
    if first_line_timeout is not None:
        until = time.monotonic() + first_line_timeout
        while not spoke.is_set() and child.poll() is None:
            if time.monotonic() > until:
                return 124
            spoke.wait(0.1)
    try:
        return child.wait(timeout=max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return 124


def _stop(child: subprocess.Popen[str]) -> None:
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(timeout=_STOP_GRACE_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _environment(extra: Mapping[str, str] | None) -> dict[str, str] | None:
    return None if extra is None else {**os.environ, **extra}
