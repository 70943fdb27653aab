"""The whole stack, from the real compose file, under a name, ports and secrets of its own."""

import contextlib
import os
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import yaml
from testcontainers.compose import DockerCompose

from glasshouse_cli import (
    alerting,
    handing,
    images,
    operator,
    plugin,
    readiness,
    rules,
    runbooks,
    secrets,
)
from glasshouse_cli import compose as compose_file
from glasshouse_cli.components import COMPONENTS, PORT_VARIABLES
from glasshouse_cli.files import write_variables
from glasshouse_cli.profiles import DEMO, VARIABLE
from glasshouse_cli.project import Project, container_user, run_environment
from support import own as own_example
from support.ports import free

# Two checkouts may run their tests on one machine at the same time, and so do processes of one run.
_OF_RUN = os.environ.get("GLASSHOUSE_TESTS_NAME") or "glasshouse-tests"
PROJECT_NAME = "-".join(filter(None, (_OF_RUN, os.environ.get("PYTEST_XDIST_WORKER"))))
READY_WITHIN_S = 300
# Alerts fire and resolve this many times sooner: 5 minutes of a rule are 15 seconds here.
SPEED = 20
SCRAPED_EVERY = "5s"


@dataclass(frozen=True, kw_only=True)
class Stack:
    """Where the running components answer, as base addresses on loopback."""

    compose: DockerCompose
    ports: dict[str, int]
    state: Path

    def url(self, service: str) -> str:
        """Where a component answers; of those behind the proxy with the operator's password."""
        [component] = [component for component in COMPONENTS if component.service == service]
        address = self.address(service)
        if not component.behind_proxy:
            return address
        password = operator.password(self.state)
        return address.replace("http://", f"http://{operator.USER}:{password}@")

    def address(self, service: str) -> str:
        """As `url`, without the password: what is linked to, and what strangers ask."""
        [component] = [component for component in COMPONENTS if component.service == service]
        return f"http://127.0.0.1:{self.ports[component.variable]}"

    @property
    def api(self) -> str:
        return self.url("api")

    @property
    def otlp(self) -> str:
        return f"http://127.0.0.1:{self.ports['OTLP_HTTP_PORT']}"

    @property
    def internal(self) -> dict[str, str]:
        """Headers with the token for the internal endpoints."""
        token = (self.state / "secrets" / "internal_token").read_text(encoding="utf-8").split()[0]
        return {"Authorization": f"Bearer {token}"}

    @property
    def caller(self) -> dict[str, str]:
        """Headers of a caller of the API that may do everything."""
        key = (self.state / "secrets" / "api_key").read_text(encoding="utf-8").strip()
        return {"Authorization": f"Bearer {key}"}

    @property
    def sender(self) -> dict[str, str]:
        """Headers of a service that may send over OTLP."""
        token = (self.state / "secrets" / "otlp_token").read_text(encoding="utf-8").split()[0]
        return {"Authorization": f"Bearer {token}"}

    @property
    def operator(self) -> dict[str, str]:
        """Headers of somebody who may read the backends on their published ports."""
        return operator.headers(self.state)

    def docker(self, command: str, service: str) -> None:
        """Run one docker command, such as "stop" or "kill", on a service's container."""
        container = str(self.compose.get_container(service, include_all=True).ID)
        subprocess.run(
            ["docker", command, container], check=True, timeout=240, stdout=subprocess.DEVNULL
        )

    def wait_ready(self, services: Iterable[str]) -> None:
        """Wait until each of these services answers; fail with what they wrote."""
        chosen = [component for component in COMPONENTS if component.service in set(services)]
        try:
            readiness.wait(
                {
                    component.name: self.url(component.service) + component.ready
                    for component in chosen
                },
                deadline=READY_WITHIN_S,
            )
        except readiness.NotReady as error:
            failed = [component.service for component in chosen if component.name in error.states]
            pytest.fail(f"{error}\n{''.join(self.compose.get_logs(*failed))[-5000:]}")

    def container_logs(self) -> dict[str, str]:
        """Return all that each container has written so far, as "<service>'s log"."""
        services = [item.Service for item in self.compose.get_containers(include_all=True)]
        return {f"{name}'s log": "".join(self.compose.get_logs(str(name))) for name in services}


@contextlib.contextmanager
def with_variables(values: dict[str, str]) -> Iterator[None]:
    """Set variables for the compose command, which testcontainers starts with ours."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@dataclass
class _Compose(DockerCompose):
    """A compose project that is found by its own environment: two may run at the same time."""

    environment: dict[str, str] = field(default_factory=dict[str, str])

    def _run_command(
        self, cmd: str | list[str], context: str | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        with with_variables(self.environment):
            return super()._run_command(cmd, context)


def _scraped_often(project: Project, state: Path) -> Path:
    """Write a compose file whose Prometheus scrapes as often as the shortened windows need.

    A window of ten minutes is 30 seconds long here: of samples 15 seconds apart it holds one now
    and then, by a scrape that is a little late, and one has no rate.
    """
    source = project.root / "prometheus" / "prometheus.yaml"
    settings = yaml.safe_load(source.read_text(encoding="utf-8"))
    settings["global"] |= {"scrape_interval": SCRAPED_EVERY, "scrape_timeout": SCRAPED_EVERY}
    target = state / "prometheus.yaml"
    target.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    target.chmod(0o644)
    volume = f"{target}:/etc/prometheus/{source.name}:ro"
    override = state / "scrapes.yml"
    override.write_text(
        yaml.safe_dump({"services": {"prometheus": {"volumes": [volume]}}}), encoding="utf-8"
    )
    return override


@contextlib.contextmanager
def running(
    project: Project,
    state: Path,
    *,
    name: str = PROJECT_NAME,
    services: Sequence[str] = (),
    overrides: Sequence[Path] = (),
) -> Iterator[Stack]:
    """Start everything but Grafana, wait until each component answers, sweep it at the end.

    name: of the compose project. services: only these, and what they depend on. overrides: more
    compose files, laid over the real one. The whole stack is what our own commands find, by the
    variables of this process; only some of it is not.
    """
    plugin.ensure(project)
    tags = images.resolve(checkout=project)
    secrets.ensure(state)
    handing.hand_out(state, compose_file.secrets(project), container_user())
    # Chosen here, not by the engine: a container that restarts would get another one.
    ports = free(PORT_VARIABLES)
    values = {name: str(port) for name, port in ports.items()} | tags | run_environment()
    values["GLASSHOUSE_STATE"] = str(state)
    values["GLASSHOUSE_RULES"] = str(state / "rules")
    rules.write_fast(project, state / "rules", SPEED)
    # With the example of docs/own.md, as anybody may have one.
    values["GLASSHOUSE_OWN"] = str(state / "own")
    own_example.follow(project, state / "own", until="check-own")
    own = replace(project, settings={**project.settings, **values})
    alerting.ensure(own, speed=SPEED)
    overrides = [*overrides, _scraped_often(project, state)]
    env_file = state / "tests.env"
    write_variables(env_file, "The stack of one test run.", values)
    environment = {"COMPOSE_PROJECT_NAME": name, VARIABLE: DEMO, **values}
    compose = _Compose(
        project.root,
        compose_file_name=[project.compose_file.name, *map(str, overrides)],
        env_file=[str(project.root / ".env"), str(env_file)],
        wait=False,
        environment=environment,
    )
    with with_variables({} if services else environment):
        runbooks.write(own)
        compose.stop()  # what an interrupted run may have left
        try:
            # Only to start: with services named, `down` would leave the network and the volumes.
            replace(compose, services=list(services)).start()
            stack = Stack(compose=compose, ports=ports, state=state)
            stack.wait_ready(
                component.service
                for component in COMPONENTS
                if component.profile in (None, DEMO)
                and component.service in (services or [component.service])
            )
            yield stack
        finally:
            compose.stop()
