"""The stack past one machine, from its compose file, under a name and ports of its own."""

import contextlib
import json
import os
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pytest

from glasshouse_cli import components, compose, operator, project, up
from glasshouse_cli.compose import Container
from glasshouse_cli.console import Terminal
from glasshouse_cli.distributed import Edge, edges
from glasshouse_cli.doctor.distributed import TENANT_HEADER
from glasshouse_cli.profiles import TELEMETRY, VARIABLE
from glasshouse_cli.project import Project
from support import ports
from support.stack import with_variables
from support.waiting import until

# On a machine ten times slower, of one that was killed with its disk: it reads what it missed.
HEALTHY_WITHIN_S: Final = 900.0
_DOCKER_S: Final = 240.0
# `make test-distributed`: every row for its full time, and the page of guarantees.
IS_LONG: Final = os.environ.get("GLASSHOUSE_DISTRIBUTED") == "long"
# Thirty containers are too much for what measures, which the long form has none of.
NEIGHBOURS: Final = [] if IS_LONG else [pytest.mark.alone]


@dataclass(frozen=True, kw_only=True)
class Whole:
    """The running stack. variables: those by which our own commands find it."""

    checkout: Project
    variables: dict[str, str]

    def url(self, variable: str) -> str:
        """Where the backend behind a port is read, with the operator's password."""
        password = operator.password(self.checkout.state)
        return self.checkout.url(variable).replace("http://", f"http://{operator.USER}:{password}@")

    @property
    def edges(self) -> list[Edge]:
        return edges(self.checkout)

    @property
    def sender(self) -> dict[str, str]:
        """Headers of a service that may send."""
        token = (self.checkout.state / "secrets" / "otlp_token").read_text("utf-8").split()[0]
        return {"Authorization": f"Bearer {token}"}

    @staticmethod
    def reader(tenant: str) -> dict[str, str]:
        """Headers of who reads what a tenant has."""
        return {TENANT_HEADER: tenant}

    def containers(self) -> dict[str, Container]:
        with with_variables(self.variables):
            return {one.service: one for one in compose.containers(self.checkout)}

    def docker(self, command: str, *services: str) -> None:
        """Run one docker command, such as "stop" or "kill", on services' containers at once."""
        found = self.containers()
        _run("docker", command, *(found[service].id for service in services))

    def wipe(self, service: str) -> None:
        """Delete the disk of a service that does not run."""
        container = self.containers()[service]
        assert not container.running, f"{service} runs"
        [inspected] = json.loads(_run("docker", "inspect", container.id))
        disks = [
            one["Name"] for one in inspected["Mounts"] if one["Type"] == "volume" and one["RW"]
        ]
        assert disks, f"{service} has no disk"
        image = compose.image(self.checkout, "CLI_IMAGE")
        assert image
        for disk in disks:
            options = ("--rm", "--network=none", "--user=0:0", f"--volume={disk}:/disk")
            command = ("docker", "run", *options, "--entrypoint=find", image, "/disk")
            _run(*command, "-mindepth", "1", "-delete")

    def network(self, command: str, service: str, name: str) -> None:
        """ "connect" a service to a network of the stack, or "disconnect" it."""
        whole = f"{compose_name(self)}_{name}"
        aliases = ("--alias", service) if command == "connect" else ()
        _run("docker", "network", command, *aliases, whole, self.containers()[service].id)

    def wait_healthy(self, services: Iterable[str] | None = None) -> None:
        """Wait until these are healthy, all when none is named."""
        with with_variables(self.variables):
            wanted = list(services or compose.started_services(self.checkout))

        def probe() -> tuple[bool | None, object]:
            found = self.containers()
            ill = {
                name: (one.state, one.health)
                for name in wanted
                if (one := found[name]).state != "running" or one.health not in ("healthy", "")
            }
            return (not ill or None), ill

        until(probe, what="all containers are healthy", deadline_s=HEALTHY_WITHIN_S)

    def log(self, service: str, lines: int = 200) -> str:
        with with_variables(self.variables):
            return "\n".join(compose.logs(self.checkout, service, lines))


def compose_name(whole: Whole) -> str:
    with with_variables(whole.variables):
        return compose.project_name(whole.checkout)


@contextlib.contextmanager
def running(root: Path, state: Path, *, name: str) -> Iterator[Whole]:
    """Start it as `make up-distributed` does, without the sample backend; sweep it at the end."""
    checkout = project.load(root, shape=project.DISTRIBUTED)
    variables = {
        "COMPOSE_PROJECT_NAME": name,
        VARIABLE: TELEMETRY,
        "GLASSHOUSE_STATE": str(state),
        **{
            variable: str(port)
            for variable, port in ports.free(components.DISTRIBUTED_PORT_VARIABLES).items()
        },
    }
    checkout = replace(checkout, settings={**checkout.settings, **variables})
    whole = Whole(checkout=checkout, variables=variables)
    with with_variables(variables):
        _sweep(checkout)  # what an interrupted run may have left
        try:
            up.up(checkout, Terminal())
            yield whole
        finally:
            _sweep(checkout)


def _sweep(checkout: Project) -> None:
    checkout.prepare()
    line = compose.command(checkout, "--profile", "*", "down", "--volumes", "--remove-orphans")
    subprocess.run(line, check=True, timeout=600, capture_output=True)


def _run(*command: str) -> str:
    ran = subprocess.run(command, capture_output=True, text=True, timeout=_DOCKER_S, check=False)
    assert ran.returncode == 0, (command, ran.stderr)
    return ran.stdout
