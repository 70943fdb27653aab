"""A program that hangs is started again, whichever container it is in."""

import json
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from glasshouse_cli import images
from glasshouse_cli.components import COMPONENTS
from glasshouse_cli.profiles import DEMO
from glasshouse_cli.project import Project
from support.deployed import compose
from support.stack import Stack
from support.waiting import until

# 75 s until it is ended, and what a slow machine takes to start it.
STARTED_AGAIN_WITHIN_S = 240
ONE_SHOTS = {"setup", "healthcheck", "migrate"}
SERVICES = sorted(
    name
    for name, service in compose()["services"].items()
    if name not in ONE_SHOTS and service.get("profiles", [DEMO]) == [DEMO]
)
# Stops the first child of the container's first process, as its own user may.
HANG = """
import os, signal, time
children = [int(pid) for pid in open("/proc/1/task/1/children").read().split()]
os.kill(children[0], signal.SIGSTOP)
end = time.monotonic() + 60
while (status := open(f"/proc/{children[0]}/stat").read().rpartition(")")[2].split()[0]) != "T":
    if time.monotonic() > end:
        break
    time.sleep(0.05)
print(status)
"""


def inspect(ids: Sequence[str]) -> list[dict[str, Any]]:
    command = ["docker", "inspect", *ids]
    answer = subprocess.run(command, capture_output=True, check=True, timeout=240)
    return json.loads(answer.stdout)


@pytest.fixture
def ids(stack: Stack) -> dict[str, str]:
    return {str(one.Service): str(one.ID) for one in stack.compose.get_containers()}


@pytest.fixture
def healthy(stack: Stack, ids: dict[str, str]) -> Iterator[None]:
    """Every container says that it is healthy, before and after."""
    wait_healthy(ids)
    yield
    wait_healthy(ids)
    stack.wait_ready(one.service for one in COMPONENTS if one.profile in (None, DEMO))


def wait_healthy(ids: dict[str, str]) -> None:
    def probe() -> tuple[bool | None, object]:
        found = {
            name: one["State"]["Health"]["Status"]
            for name, one in zip(ids, inspect(list(ids.values())), strict=True)
        }
        others = {name: state for name, state in found.items() if state != "healthy"}
        return (not others or None), others

    until(probe, what="every container is healthy", deadline_s=STARTED_AGAIN_WITHIN_S)


@pytest.mark.usefixtures("healthy")
def test_whatever_hangs_is_started_again(project: Project, ids: dict[str, str]) -> None:
    assert sorted(ids) == SERVICES
    image = images.resolve(["backend"], checkout=project)["BACKEND_IMAGE"]
    before = {name: one["RestartCount"] for name, one in states(ids).items()}

    def hang(name: str) -> str:
        [one] = inspect([ids[name]])
        command = ["docker", "run", "--rm", f"--user={one['Config']['User']}"]
        command += [f"--pid=container:{ids[name]}", "--network=none", image, "python3", "-c", HANG]
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()

    # All at once: none may need another to be noticed.
    with ThreadPoolExecutor(4) as pool:
        stopped = dict(zip(SERVICES, pool.map(hang, SERVICES), strict=True))
    # T is a stopped process.
    assert stopped == dict.fromkeys(SERVICES, "T")

    def probe() -> tuple[bool | None, object]:
        now = {name: one["RestartCount"] for name, one in states(ids).items()}
        waiting = sorted(name for name in SERVICES if now[name] == before[name])
        return (not waiting or None), waiting

    until(probe, what="each container is started again", deadline_s=STARTED_AGAIN_WITHIN_S)

    def silent() -> tuple[bool | None, object]:
        found = [name for name in SERVICES if "healthcheck: " not in log_of(ids[name])]
        return (not found or None), found

    # The line is written before the end that it announces, but the engine reads it when it can.
    until(silent, what="each container's log says why")


def log_of(container: str) -> str:
    command = ["docker", "logs", "--tail", "1000", container]
    read = subprocess.run(command, capture_output=True, text=True, check=True, timeout=240)
    return read.stderr + read.stdout


def states(ids: dict[str, str]) -> dict[str, dict[str, Any]]:
    return dict(zip(ids, inspect(list(ids.values())), strict=True))
