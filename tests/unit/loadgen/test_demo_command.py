"""The command against a real sandbox, which also plays the service: its answers are wrong."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import uvicorn

from glasshouse_fakes.app import create_app
from glasshouse_fakes.settings import Settings
from support.ports import free
from support.waiting import until


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    port = free(["SANDBOX"])["SANDBOX"]
    config = uvicorn.Config(create_app(Settings()), port=port, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    until(lambda: (server.started or None, "starting"), what="the sandbox is up")
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


def demo(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "glasshouse_loadgen", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"},
    )


def modes(sandbox: str) -> dict[str, str]:
    faults: dict[str, dict[str, Any]] = httpx.get(
        f"{sandbox}/faults", timeout=240, trust_env=False
    ).json()
    return {part: fault["mode"] for part, fault in faults.items() if fault["mode"] != "none"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_clears_its_faults(sandbox: str, number: signal.Signals):
    started = demo("--host", sandbox, "--sandbox", sandbox, "--duration", "20", "--faults")
    try:
        until(lambda: (modes(sandbox) or None, "no fault"), what="a fault is on")
        started.send_signal(number)
        _, errors = started.communicate(timeout=120)
    finally:
        started.kill()
    assert started.returncode == 130
    assert modes(sandbox) == {}
    assert "all faults are cleared" in errors
    assert "Traceback" not in errors


def test_a_finished_run_reports_and_clears_its_faults(sandbox: str):
    started = demo("--host", sandbox, "--sandbox", sandbox, "--duration", "4", "--faults")
    output, errors = started.communicate(timeout=120)
    assert modes(sandbox) == {}
    for title in ("payment outage", "slow mail server", "SMS provider fails"):
        assert f"fault: {title}" in errors
        assert f"over: {title}" in errors
    # The sandbox is no service, and the command says so.
    assert started.returncode == 1
    assert "x pay: HTTP 404" in errors
    assert errors.splitlines()[-1].startswith("error: ")
    assert output.splitlines()[0].split()[:3] == ["request", "sent", "wrong"]
    assert "\x1b" not in output + errors


@pytest.mark.parametrize("option", ["--host", "--sandbox"])
def test_only_this_machine_is_sent_to(sandbox: str, option: str):
    other = "--sandbox" if option == "--host" else "--host"
    started = demo(option, "http://192.0.2.1:8000", other, sandbox)
    output, errors = started.communicate(timeout=120)
    assert (started.returncode, output) == (1, "")
    assert "'http://192.0.2.1:8000' is not on this machine" in errors
    assert errors.count("\n") == 1


def test_a_service_that_is_not_there_is_named(sandbox: str):
    port = free(["NOBODY"])["NOBODY"]
    started = demo("--host", f"http://127.0.0.1:{port}", "--sandbox", sandbox)
    _, errors = started.communicate(timeout=120)
    assert started.returncode == 1
    assert f"http://127.0.0.1:{port} does not answer" in errors
    assert "make up" in errors
    assert errors.count("\n") == 1
