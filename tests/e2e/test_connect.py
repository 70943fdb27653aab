"""`glasshouse connect` with a service of one's own: on this machine, and in a container."""

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from glasshouse_cli import images
from glasshouse_cli.letters.letter import Signal
from glasshouse_cli.project import Project, run_environment
from support import backends, plain_sender
from support.stack import PROJECT_NAME, Stack
from support.waiting import until
from support.words import fresh

COMMAND = [sys.executable, "-c", "from glasshouse_cli.cli import main; main()", "connect"]
# A signal may take some time on a busy machine; the command ends as soon as it has all.
WAIT_S = 120
# In the backend's image: Python with the distro.
IN_CONTAINER = "import logging; logging.warning('from a container of reader@example.com')"


@pytest.fixture
def name() -> str:
    """A service that nobody has seen before."""
    return fresh("books-")


def connect(project: Project, *arguments: str) -> tuple[int, Any]:
    """Run `glasshouse connect --json` on the stack of this run; return exit code and document."""
    ran = subprocess.run(
        [*COMMAND, "--json", *arguments],
        cwd=project.root,
        env=dict(os.environ),  # which names the stack and its ports
        capture_output=True,
        text=True,
        timeout=WAIT_S + 60,
        check=False,
    )
    assert ran.stdout, ran.stderr
    return ran.returncode, json.loads(ran.stdout)


def start(variables: dict[str, str]) -> subprocess.Popen[str]:
    """Start a service with the stock SDK and these variables of OpenTelemetry alone."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", str(plain_sender.__file__)],
        env={**kept, "NO_PROXY": "127.0.0.1", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_service_with_what_is_printed_is_shown_redacted(
    project: Project, stack: Stack, name: str
) -> None:
    code, printed = connect(project, "--no-wait", "--service", name)
    assert code == 0
    service = start(printed["environment"])
    output, _ = service.communicate(timeout=180)
    assert service.returncode == 0, output

    code, document = connect(project, "--service", name, "--timeout", str(WAIT_S))

    assert (code, document["service"], document["missing"]) == (0, name, []), document
    records = {signal: one["record"] for signal, one in document["records"].items()}
    assert records["logs"]["body"].startswith("a book was sold to [email:")
    assert "reader@example.com" not in json.dumps(records)
    assert records["traces"]["name"] == plain_sender.SPAN
    assert records["metrics"]["name"] == "books_sold_total"
    assert records["metrics"]["service_name"] == name


@contextlib.contextmanager
def waiting(project: Project, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run `glasshouse connect` for people; the block begins when it waits."""
    popen = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=project.root,
        env=dict(os.environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert popen.stderr is not None
        said: list[str] = []
        for line in iter(popen.stderr.readline, ""):
            said.append(line)
            if line.startswith("waiting for "):
                break
        assert said[-1:] != [], "it ended without a word"
        assert said[-1].startswith("waiting for "), said
        yield popen
    finally:
        popen.kill()
        popen.wait()


def test_a_new_service_is_noticed_while_it_waits(project: Project, stack: Stack, name: str) -> None:
    _, printed = connect(project, "--no-wait", "--service", name)
    with waiting(project, "--timeout", str(WAIT_S)) as command:
        start(printed["environment"]).communicate(timeout=180)
        out, err = command.communicate(timeout=WAIT_S + 60)

    assert command.returncode == 0, err
    for signal, backend in (("logs", "Loki"), ("traces", "Tempo"), ("metrics", "Prometheus")):
        assert f"{signal} of {name}, in {backend} after " in out
    assert f"{name} is connected, after " in err


def test_a_service_in_a_container_with_the_snippet_is_taken(
    project: Project, http: httpx.Client, stack: Stack, name: str, tmp_path: Path
) -> None:
    _, printed = connect(project, "--no-wait", "--service", name)
    user = run_environment()
    own = {
        "image": images.resolve(["backend"], checkout=project)["BACKEND_IMAGE"],
        "user": f"{user['GLASSHOUSE_UID']}:{user['GLASSHOUSE_GID']}",
        "command": ["opentelemetry-instrument", "python", "-c", IN_CONTAINER],
    }
    (tmp_path / "snippet.yml").write_text(printed["compose"], encoding="utf-8")
    (tmp_path / "own.yml").write_text(yaml.safe_dump({"services": {name: own}}), encoding="utf-8")
    # The token reaches the container as a file alone.
    kept = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
    line = ["docker", "compose", "--project-name", f"{PROJECT_NAME}-connect"]
    line += ["--file", str(tmp_path / "snippet.yml"), "--file", str(tmp_path / "own.yml")]
    try:
        ran = subprocess.run(
            [*line, "run", "--rm", "-T", name],
            env=kept,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
    finally:
        subprocess.run([*line, "down"], env=kept, capture_output=True, timeout=240, check=False)

    code, document = connect(
        project, "--service", name, "--signal", "logs", "--timeout", str(WAIT_S)
    )

    assert code == 0, document

    def stored() -> tuple[bool | None, object]:
        query = f'{{service_name="{name}"}}'
        lines = [one["line"] for one in backends.loki_lines(http, stack.url("loki"), query)]
        found = [line for line in lines if line.startswith("from a container of [email:")]
        return (True if found else None), lines

    until(stored, what="what the container logged, redacted")


def test_why_a_service_without_the_token_does_not_arrive_is_said(
    project: Project, stack: Stack, name: str
) -> None:
    _, printed = connect(project, "--no-wait", "--service", name)
    variables = dict(printed["environment"])
    del variables["OTEL_EXPORTER_OTLP_HEADERS"]
    # Prometheus reads the Collector's counters every 15 s.
    with waiting(project, "--service", name, "--timeout", "45") as command:
        output, _ = start(variables).communicate(timeout=180)
        assert "401" in output
        _, err = command.communicate(timeout=180)

    assert command.returncode == 1, err
    assert "no logs and no traces and no metrics in 45 s." in err
    [found] = [line for line in err.splitlines() if line.startswith("- the Collector refused ")]
    counted = re.match(r"- the Collector refused (\d+) requests over HTTP without a token", found)
    # Other tests may send without a token, too.
    assert counted is not None, found
    assert int(counted[1]) >= len(Signal)
    assert "is OTEL_EXPORTER_OTLP_HEADERS set where the service runs" in found
