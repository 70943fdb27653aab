"""Where an image registry answers, nothing but Docker is needed: a clean clone starts by pulling.

The engine is an empty one, without a way out but to a registry on loopback. That has the official
names, with our own builds of the same programs behind them, and a stand-in for Grafana, which
cannot be built. It shows that the names, the pulls and the start go together, not that the official
images run; the workflow that has a way out pulls those.
"""

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pytest

from glasshouse_cli import operator
from glasshouse_cli.images import pin
from glasshouse_cli.project import Project
from support import backends, otlp
from support.registry import between, checkout, contents, daemon, server
from support.registry.between import Refusing
from support.registry.checkout import Checkout
from support.registry.daemon import Engine
from support.registry.namespace import Namespace
from support.waiting import until

REGISTRY_PORT, GATE_PORT = 5000, 5001
# What they are to take on a machine with nothing else to do: printed, not asserted.
EMPTY_GOAL_S, WARM_GOAL_S = 60, 20
STARTED_WITHIN_S = 600
STOPPED_WITHIN_S = 300

Report = Callable[[str, float, int], None]


@dataclass(frozen=True, kw_only=True)
class Site:
    """An engine that starts empty, and a registry that it can pull from.

    release: our own images by variable, as they are called there. gate: the same registry again,
    which refuses what `refused` names.
    """

    engine: Engine
    folder: Path
    release: dict[str, str]
    gate: Refusing


@pytest.fixture(scope="module")
def site(project: Project, registry_folder: Path, registry_storage: Path) -> Iterator[Site]:
    settings = registry_folder / "settings"
    settings.mkdir()
    with (
        Namespace(settings) as namespace,
        server.running(registry_storage, REGISTRY_PORT, namespace=namespace) as registry,
        between.refusing(namespace, registry, GATE_PORT) as gate,
        daemon.running(
            registry_folder / "engine", namespace, mirror=f"http://{registry}"
        ) as engine,
    ):
        release = contents.release(project, registry)
        yield Site(engine=engine, folder=registry_folder, release=release, gate=gate)


@pytest.fixture
def report(
    remark: Callable[[str, str], None], record_property: Callable[[str, object], None]
) -> Report:
    """Print seconds beside their goal, and record them in the report."""

    def write(what: str, seconds: float, goal: int) -> None:
        record_property(what, f"{seconds:.1f}")
        remark("an empty engine", f"{what}: {seconds:.1f} s (goal {goal} s)")

    return write


@pytest.fixture(scope="module")
def clone(project: Project, site: Site) -> Checkout:
    """A clone for somebody who has Docker's client, and nothing else on the path."""
    made = checkout.cloned(project.root, site.folder / "compose", site.engine, programs=[])
    make_release(made, site)
    return made


@pytest.fixture(scope="module")
def started(site: Site, clone: Checkout) -> float:
    """Seconds of `docker compose up --wait` on an engine that has no image."""
    assert site.engine.docker("image", "ls", "--quiet") == ""
    return up(clone)


def make_release(clone: Checkout, site: Site) -> None:
    """Name our own images by the digests in the registry, as the workflow of a release does."""
    file = clone.root / ".env"
    changed = site.engine.namespace.call(partial(pin.pin, file, [], released=site.release))
    assert changed.keys() == site.release.keys()


def up(clone: Checkout) -> float:
    began = time.monotonic()
    ran = clone.run("docker", "compose", "up", "--wait", within=STARTED_WITHIN_S)
    assert ran.returncode == 0, ran.stderr[-3000:] + logs(clone)
    return time.monotonic() - began


def down(clone: Checkout, *options: str) -> None:
    ran = clone.run("docker", "compose", "down", *options, within=STOPPED_WITHIN_S)
    assert ran.returncode == 0, ran.stderr


def logs(clone: Checkout) -> str:
    return clone.run("docker", "compose", "logs", "--tail=8", within=60).stdout[-5000:]


def containers(clone: Checkout) -> dict[str, dict[str, str]]:
    """Return each service's container, as compose lists it."""
    ran = clone.run("docker", "compose", "ps", "--all", "--format", "json", within=60)
    assert ran.returncode == 0, ran.stderr
    return {item["Service"]: item for item in map(json.loads, ran.stdout.splitlines())}


def test_it_starts_by_pulling_into_an_empty_engine(
    site: Site, clone: Checkout, started: float, report: Report
) -> None:
    report("docker compose up --wait, empty engine", started, EMPTY_GOAL_S)
    services = clone.run("docker", "compose", "config", "--services", within=60).stdout.split()
    found = containers(clone)
    assert found.keys() == set(services)
    once = {name for name, item in found.items() if item["State"] != "running"}
    assert once == {"setup", "healthcheck", "migrate"}
    assert {name: found[name]["ExitCode"] for name in once} == dict.fromkeys(once, 0)
    healthy = {name: item["Health"] for name, item in found.items() if name not in once}
    assert healthy == dict.fromkeys(healthy, "healthy")
    assert "grafana" in healthy


def test_every_image_was_pulled(site: Site, started: float, registry_ids: dict[str, str]) -> None:
    listed = site.engine.docker("image", "ls", "--no-trunc", "--quiet").split()
    # The same content as what the registry was filled with: nothing was built on the way.
    assert set(listed) <= set(registry_ids.values())


def test_a_record_is_found_redacted_by_what_setup_made(
    site: Site, clone: Checkout, started: float
) -> None:
    word = f"pulled{time.time_ns()}"
    record = otlp.log(f"{word} mail to jane.roe@example.org")
    sent = {
        "resourceLogs": [
            {
                "resource": {"attributes": otlp.attributes({"service.name": "pulled"})},
                "scopeLogs": [{"scope": {}, "logRecords": [record]}],
            }
        ]
    }
    token = {"Authorization": f"Bearer {clone.secret('otlp_token')}"}

    def send(headers: dict[str, str]) -> int:
        url = "http://127.0.0.1:4318/v1/logs"
        return httpx.post(url, json=sent, headers=headers, timeout=240).status_code

    assert site.engine.namespace.call(partial(send, {})) == 401
    assert site.engine.namespace.call(partial(send, token)) == 200

    loki = f"http://{operator.USER}:{clone.secret('operator_password')}@127.0.0.1:3100"

    def look() -> list[str]:
        with httpx.Client(timeout=240, trust_env=False) as http:
            query = f'{{service_name="pulled"}} |= "{word}"'
            return [line["line"] for line in backends.loki_lines(http, loki, query)]

    def stored() -> tuple[list[str] | None, object]:
        found = site.engine.namespace.call(look)
        return found or None, found

    [line] = until(stored, what="the record is in Loki")
    assert re.fullmatch(rf"{word} mail to \[email:[0-9a-f]{{16}}\]", line), line


def test_it_starts_again_from_what_is_there(
    clone: Checkout, started: float, report: Report
) -> None:
    before = clone.secret("otlp_token")
    down(clone)
    report("docker compose up --wait, warm", up(clone), WARM_GOAL_S)
    assert clone.secret("otlp_token") == before


@pytest.fixture
def refused(project: Project, site: Site) -> Iterator[str]:
    """The name of an image that no engine has, and that the registry does not give away."""
    repository, _, tag = project.settings["LOKI_IMAGE"].rpartition(":")
    site.gate.refused[repository] = 404
    yield f"{site.gate.name}/{repository}:{tag}"
    site.gate.refused.clear()


def test_one_image_that_is_refused_leaves_no_half_of_a_stack(
    project: Project, site: Site, clone: Checkout, started: float, refused: str
) -> None:
    down(clone, "--timeout=1")
    clone.configure({"LOKI_IMAGE": refused})
    try:
        ran = clone.run("docker", "compose", "up", "--wait", within=STARTED_WITHIN_S)
        assert ran.returncode != 0
        assert f"repository {refused.rpartition(':')[0]} not found" in ran.stderr.splitlines()[-1]
        assert site.engine.docker("ps", "--all", "--quiet") == ""
        # It was the refusal: without it the same name is pulled.
        site.gate.refused.clear()
        pulled = clone.run("docker", "compose", "pull", "loki", within=STARTED_WITHIN_S)
        assert pulled.returncode == 0, pulled.stderr
        site.engine.docker("rmi", refused)
    finally:
        clone.configure({"LOKI_IMAGE": project.settings["LOKI_IMAGE"]})


@pytest.fixture(scope="module")
def made(project: Project, site: Site, clone: Checkout, started: float) -> Checkout:
    """A clone for somebody who has what Debian has, with the environment that make wants."""
    down(clone, "--volumes", "--timeout=1")
    made = checkout.cloned(project.root, site.folder / "make", site.engine)
    make_release(made, site)
    # The one thing that is not pulled: packages for the command, from the network of this machine.
    cache = os.environ.get("UV_CACHE_DIR") or str(Path.home() / ".cache" / "uv")
    ran = made.run("make", "venv", within=STARTED_WITHIN_S, network=True, UV_CACHE_DIR=cache)
    assert ran.returncode == 0, ran.stderr
    return made


def test_make_up_pulls_too_and_its_doctor_finds_nothing(made: Checkout, report: Report) -> None:
    assert made.run("sh", "-c", "command -v go", within=60).stdout == ""
    began = time.monotonic()
    ran = made.run("make", "up", within=STARTED_WITHIN_S)
    seconds = time.monotonic() - began
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "building" not in ran.stdout + ran.stderr
    report("make up with its doctor, images there", seconds, EMPTY_GOAL_S)


def test_make_up_names_an_image_that_is_refused(made: Checkout, refused: str) -> None:
    made.configure({"LOKI_IMAGE": refused})
    before = {name: item["ID"] for name, item in containers(made).items()}
    ran = made.run("make", "up", within=STARTED_WITHIN_S)
    lines = (ran.stdout + ran.stderr).splitlines()
    assert ran.returncode != 0
    assert (
        f"the registry refuses {refused}: there is none of this name: correct LOKI_IMAGE in .env"
    ) in lines
    # It would build it, and says what that needs.
    [fault] = [line for line in lines if line.startswith("error: ")]
    assert fault.startswith("error: building loki needs Go"), fault
    assert {name: item["ID"] for name, item in containers(made).items()} == before
