"""Programs of strangers, started as their authors start them, instrumented, beside an OTLP sink.

They run in .venv-frameworks, an environment of their own (group `frameworks` of pyproject.toml).
"""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from support import ports, shop_process
from support.signals import with_default_signals
from support.waiting import until

ROOT = Path(__file__).parents[2]
BIN = ROOT / ".venv-frameworks" / "bin"
EXAMPLES = ROOT / "instrumentation" / "examples"
SERVICE = "stranger"
# The distro that OpenTelemetry brings along: the positive control.
STOCK = "distro"
STARTED_WITHIN_S = 240
ENDED_WITHIN_S = 240


def make_environment() -> None:
    """Make .venv-frameworks as uv.lock says; a moment when it is there."""
    subprocess.run(["make", "--silent", "venv-frameworks"], cwd=ROOT, check=True, timeout=540)


@dataclass(frozen=True, kw_only=True)
class Program:
    """A running program. What it writes is kept in two files. url: of a server, else empty."""

    process: subprocess.Popen[bytes]
    stdout: Path
    stderr: Path
    url: str

    def console(self) -> str:
        """Return all that it has written so far, standard output first."""
        return "".join(path.read_text("utf-8", "replace") for path in (self.stdout, self.stderr))

    def lines(self) -> list[dict[str, Any]]:
        """Return the console's lines that are whole JSON objects."""
        found: list[dict[str, Any]] = []
        for line in self.console().splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                item = json.loads(line)
                if isinstance(item, dict):
                    found.append(item)
        return found

    def wait(self) -> int:
        """Return its exit code, once it has ended by itself; negative: by that signal."""
        return self.process.wait(ENDED_WITHIN_S)

    def stop(self, signum: int = signal.SIGTERM) -> int:
        """Ask its first process to end, as a supervisor does; return the exit code."""
        self.process.send_signal(signum)
        return self.wait()


@contextlib.contextmanager
def running(
    command: Sequence[str],
    folder: Path,
    *,
    endpoint: str | None,
    distro: str = "glasshouse",
    ready: str | None = None,
    **variables: str,
) -> Iterator[Program]:
    """Start ``command`` in the folder of the examples; end all of its processes at the end.

    Its first word is a program of .venv-frameworks; ``{port}`` stands for a free port.
    endpoint: where telemetry is sent; None starts it bare, without opentelemetry-instrument.
    ready: the path of a server that is asked until it answers, whatever it answers.
    """
    port = str(ports.free(["server"])["server"])
    program, *arguments = (word.replace("{port}", port) for word in command)
    words = [str(BIN / program), *arguments]
    if endpoint is not None:
        words = [str(BIN / "opentelemetry-instrument"), *words]
    folder.mkdir(parents=True, exist_ok=True)
    stdout, stderr = folder / "stdout", folder / "stderr"
    with stdout.open("wb") as out, stderr.open("wb") as err:
        process = subprocess.Popen(
            words,
            cwd=EXAMPLES,
            env=_environment(endpoint, distro) | variables,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
            preexec_fn=with_default_signals,
        )
    url = "" if ready is None else f"http://127.0.0.1:{port}"
    started = Program(process=process, stdout=stdout, stderr=stderr, url=url)
    try:
        if ready is not None:
            _wait_until_it_answers(started, ready)
        yield started
    finally:
        # The session is its own: its workers go with it, also those that it has left behind.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(ENDED_WITHIN_S)


def _environment(endpoint: str | None, distro: str) -> dict[str, str]:
    made = shop_process.environment(endpoint or "", distro=distro, OTEL_SERVICE_NAME=SERVICE)
    made["PATH"] = f"{BIN}{os.pathsep}{made['PATH']}"
    made["PYTHONDONTWRITEBYTECODE"] = "1"
    if endpoint is None:
        made = {name: value for name, value in made.items() if not name.startswith("OTEL_")}
    return made


def _wait_until_it_answers(program: Program, path: str) -> None:
    def probe() -> tuple[bool | None, object]:
        assert program.process.poll() is None, program.console()[-3000:]
        try:
            # As long as that: a request that was given up is served all the same, and counts.
            answer = httpx.get(program.url + path, timeout=STARTED_WITHIN_S, trust_env=False)
        except httpx.TransportError as error:
            return None, (repr(error), program.console()[-3000:])
        return True, answer.status_code

    until(probe, what=f"{path} is answered", deadline_s=STARTED_WITHIN_S)


def last_line_of(program: Path, **variables: str) -> Any:
    """Run a program under the distro, without exporters; return its last line, read as JSON."""
    make_environment()
    ended = subprocess.run(
        [str(BIN / "opentelemetry-instrument"), str(BIN / "python"), program],
        env={
            "PATH": str(BIN),
            "OTEL_PYTHON_DISTRO": "glasshouse",
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            "LOG_LEVEL": "ERROR",
            **variables,
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    return json.loads(ended.stdout.splitlines()[-1])
