"""Runs `docker compose` on our file and reads the containers' states."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from dotenv import dotenv_values

from glasshouse_cli import certificates, components, profiles
from glasshouse_cli.components import Component
from glasshouse_cli.errors import StackError
from glasshouse_cli.own import folder as own_folder
from glasshouse_cli.process import run
from glasshouse_cli.project import COMPOSE_FILE, Project

_ASK_TIMEOUT_S = 30.0
_DIGITS = 12
# The label by which compose sees that a container's configuration has changed.
CONFIGURATION = "GLASSHOUSE_CONFIGURATION"
MTLS_FILE = "docker-compose.mtls.yml"
# What compose leaves to us: see handing.py.
SECRETS = "x-secrets"
# Lists to which a service adds what it has beyond the one that it extends.
_ADDED = frozenset({"networks", "ports", "profiles", "tmpfs", SECRETS})
# Compose writes the checkout's folder on every container.
_WORKING_FOLDER = "com.docker.compose.project.working_dir"
BESIDE = "glasshouse beside"
_IMAGE = re.compile(r"\$\{(\w+_IMAGE)\b")


@dataclass(frozen=True, kw_only=True)
class Container:
    """One container of the stack. When it last started and ended; None if it never did."""

    id: str
    service: str
    state: str
    exit_code: int
    health: str
    restarts: int
    started: datetime | None
    finished: datetime | None

    @property
    def running(self) -> bool:
        return self.state == "running"


def command(checkout: Project, *arguments: str) -> list[str]:
    """The command line of `docker compose` with our files; arguments come last."""
    line = ["docker", "compose", "--project-directory", str(checkout.root)]
    line += ["--file", str(checkout.compose_file)]
    if checkout.is_distributed:
        line += ["--project-name", project_name(checkout)]
    elif certificates.asked_for(checkout):
        line += ["--file", str(checkout.root / MTLS_FILE)]
    line += ["--env-file", str(checkout.root / ".env")]
    for file in (checkout.images_env, checkout.run_env):
        if file.is_file():
            line += ["--env-file", str(file)]
    for profile in active_profiles(checkout):
        line += ["--profile", profile]
    return [*line, *arguments]


def active_profiles(checkout: Project) -> list[str]:
    """The profiles that start here: Grafana only where its image could be had."""
    asked = profiles.asked_for(checkout)
    found = [name for name in asked if name != profiles.GRAFANA or has_grafana(checkout)]
    # None named on the command line would be those of the variable.
    return found or [profiles.TELEMETRY]


def image_variables(checkout: Project) -> list[str]:
    """The variables of the images that the profiles which are asked for start."""
    asked = set(profiles.asked_for(checkout))
    found = (
        _IMAGE.match(str(service["image"]))
        for service in services(checkout).values()
        if asked.issuperset(service.get("profiles", ()))
    )
    return sorted({match[1] for match in found if match})


def service_of(checkout: Project, variable: str) -> str:
    """The first service whose image `variable` names. Raises StackError when there is none."""
    for name, service in services(checkout).items():
        if (match := _IMAGE.match(str(service["image"]))) and match[1] == variable:
            return name
    raise StackError(f"{checkout.compose_file}: no service has the image {variable}")


def active_components(checkout: Project) -> list[Component]:
    """The components that run here."""
    active = active_profiles(checkout)
    return [one for one in components.of(checkout) if one.profile is None or one.profile in active]


def ports(checkout: Project) -> dict[str, int]:
    """The ports that what starts here publishes, by variable. Raises StackError for no number."""
    active = active_profiles(checkout)
    known, wanted = components.of(checkout), components.port_variables(checkout)
    others = {one.variable for one in known if one.profile and one.profile not in active}
    return {name: checkout.port(name) for name in wanted if name not in others}


def mounted(checkout: Project) -> list[str]:
    """What the compose file mounts of the checkout: paths from its root."""
    found = (
        str(volume).partition(":")[0]
        for service in services(checkout).values()
        for volume in service.get("volumes", ())
    )
    return sorted({source for source in found if source.startswith("./")})


def configuration(checkout: Project) -> str:
    """A digest of the files of this checkout that running containers read."""
    lasting = set(lasting_services(checkout))
    found = {
        checkout.root / str(volume).partition(":")[0]
        for file in _files(checkout)
        for name, service in _services_of(checkout, file).items()
        if name in lasting
        for volume in service.get("volumes", ())
        if str(volume).startswith("./")
    }
    # Made of the checkout's, and of settings.
    found.add(checkout.state / "alertmanager" / "alertmanager.yaml")
    own = own_folder.of(checkout)
    found |= {own.folder / part for part in own_folder.READ_AT_START}
    state = hashlib.sha256()
    for place in sorted(found):
        for file in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if file.is_file():
                content = hashlib.sha256(file.read_bytes()).hexdigest()
                state.update(f"{file.name}\0{content}\n".encode())
    return state.hexdigest()[:_DIGITS]


def lasting_services(checkout: Project) -> list[str]:
    """The services that stay, by the names under which containers call each other."""
    known = services(checkout)
    return sorted(name for name, service in known.items() if service.get("restart") != "no")


def started_services(checkout: Project) -> list[str]:
    """The services that stay, of the profiles that start here."""
    active, known = set(active_profiles(checkout)), services(checkout)
    return [name for name in lasting_services(checkout) if _starts(known[name], active)]


def _starts(service: Mapping[str, Any], active: set[str]) -> bool:
    asked = set(service.get("profiles", ()))
    return not asked or bool(asked & active)


def dependencies(checkout: Project) -> dict[str, list[str]]:
    """The services that each one starts after."""
    known = services(checkout)
    return {name: sorted(service.get("depends_on", ())) for name, service in known.items()}


def secrets(checkout: Project) -> dict[str, list[str]]:
    """The names of the secrets that each service gets, as files in /run/secrets.

    A name may say what the file is made of: `edge_key:edge-edge-1.key`, see handing.py.
    """
    found: dict[str, list[str]] = {}
    for file in _files(checkout):
        for name, service in _services_of(checkout, file).items():
            if names := service.get(SECRETS):
                found.setdefault(name, []).extend(names)
    return found


def services(checkout: Project) -> dict[str, dict[str, Any]]:
    """The services of the compose file, each with what it extends."""
    return _services_of(checkout, checkout.compose_file)


def _services_of(checkout: Project, file: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = _read(file)["services"]
    return {name: _extended(checkout, service) for name, service in found.items()}


def _extended(checkout: Project, service: Mapping[str, Any]) -> dict[str, Any]:
    """The service with what `extends` names below it, as far as we read it."""
    own = dict(service)
    below = own.pop("extends", None)
    if below is None:
        return own
    other = checkout.root / below["file"]
    found = _extended(checkout, _read(other)["services"][below["service"]])
    for key, value in own.items():
        before = found.get(key)
        if isinstance(value, dict) and isinstance(before, dict):
            found[key] = {**before, **value}
        elif key == "volumes" and before is not None:
            # One for each path in the container.
            found[key] = list({_target(one): one for one in (*before, *value)}.values())
        elif key in _ADDED and before is not None:
            found[key] = [*before, *(one for one in value if one not in before)]
        else:
            found[key] = value
    return found


def _target(volume: str) -> str:
    # A variable in the source has colons of its own.
    return re.sub(r"\$\{[^}]+\}", "", volume).split(":")[1]


def _files(checkout: Project) -> list[Path]:
    mutual = not checkout.is_distributed and certificates.asked_for(checkout)
    return [checkout.compose_file, *([checkout.root / MTLS_FILE] if mutual else [])]


def _read(file: Path) -> dict[str, Any]:
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def image(checkout: Project, variable: str) -> str | None:
    """The image that `variable` stands for here, None before it was obtained."""
    file = checkout.images_env
    return dotenv_values(file).get(variable) if file.is_file() else None


def has_grafana(checkout: Project) -> bool:
    """Whether Grafana's image could be had; without it the stack starts without Grafana.

    Where `make up` never looked for images, compose did, which starts all that is asked for.
    """
    return not checkout.images_env.is_file() or bool(image(checkout, "GRAFANA_IMAGE"))


def containers(checkout: Project) -> list[Container]:
    """The stack's containers, running or not. Raises StackError when the engine does not answer."""
    # Not `docker compose ps`: it ends when one of them goes away meanwhile.
    line = ["docker", "ps", "--all", "--quiet", "--no-trunc"]
    for label in (f"project={project_name(checkout)}", "oneoff=False"):
        line += ["--filter", f"label=com.docker.compose.{label}"]
    listed = run(line, timeout=_ASK_TIMEOUT_S)
    if not listed.ok:
        raise StackError(f"docker ps failed: {listed.last_line}")
    ids = listed.out.split()
    if not ids:
        return []
    # A container that went away meanwhile is left out of the answer.
    answer = run(["docker", "container", "inspect", *ids], timeout=_ASK_TIMEOUT_S)
    return [_container(item) for item in json.loads(answer.out or "[]")]


def logs(checkout: Project, service: str, lines: int) -> list[str]:
    """The last lines a service wrote."""
    answer = run(
        command(checkout, "logs", "--no-color", "--no-log-prefix", "--tail", str(lines), service),
        timeout=_ASK_TIMEOUT_S,
    )
    return (answer.out or answer.err).splitlines()


def published_ports(checkout: Project) -> set[int]:
    """Ports on this machine that the stack's own containers hold."""
    name = f"label=com.docker.compose.project={project_name(checkout)}"
    answer = run(
        ["docker", "ps", "--filter", name, "--format", "{{.Ports}}"], timeout=_ASK_TIMEOUT_S
    )
    return set(parse_ports(answer.out.splitlines())) if answer.ok else set()


def parse_ports(lines: Iterable[str]) -> Iterable[int]:
    """Host ports in lines as `docker ps` writes them.

    127.0.0.1:8000->8000/tcp, neighbours together as 127.0.0.1:4317-4318->4317-4318/tcp, and
    ports that are not published as 80/tcp.
    """
    for line in lines:
        for item in line.split(","):
            host, arrow, _ = item.strip().partition("->")
            if arrow:
                first, _, last = host.rpartition(":")[2].partition("-")
                yield from range(int(first), int(last or first) + 1)


def project_name(checkout: Project) -> str:
    """The compose project's name."""
    named = os.environ.get("COMPOSE_PROJECT_NAME") or checkout.settings.get("COMPOSE_PROJECT_NAME")
    return (named or "glasshouse") + checkout.shape.suffix


def ensure_ours(checkout: Project) -> None:
    """Raise StackError when the containers of our name are another checkout's.

    They would be started anew with this one's files, and on its data. A name that the environment
    gives is chosen for this one call, so nothing is refused then.
    """
    if os.environ.get("COMPOSE_PROJECT_NAME"):
        return
    name = project_name(checkout)
    owner = f'{{{{.Label "{_WORKING_FOLDER}"}}}}'
    label = f"label=com.docker.compose.project={name}"
    answer = run(
        ["docker", "ps", "--all", "--filter", label, "--format", owner], timeout=_ASK_TIMEOUT_S
    )
    for text in sorted(set(answer.out.splitlines()) - {""}):
        folder = Path(text)
        # A checkout that was moved or deleted has left its containers to this one.
        if folder.resolve() != checkout.root.resolve() and (folder / COMPOSE_FILE).is_file():
            raise StackError(
                f"the containers called {name} are those of the checkout {folder}: `make clean` "
                f"there, or give this one a name and ports of its own: `{BESIDE}`"
            )


def _container(item: dict[str, Any]) -> Container:
    state = item["State"]
    return Container(
        id=item["Id"],
        service=item["Config"]["Labels"].get("com.docker.compose.service", item["Name"]),
        state=state["Status"],
        exit_code=state["ExitCode"],
        health=state.get("Health", {}).get("Status", ""),
        restarts=item["RestartCount"],
        started=_time(state["StartedAt"]),
        finished=_time(state["FinishedAt"]),
    )


def _time(text: str) -> datetime | None:
    # Up to nanoseconds, which are more than the standard library reads.
    whole, _, fraction = text.removesuffix("Z").partition(".")
    moment = datetime.strptime(whole[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    digits = re.match(r"\d{0,6}", fraction)
    micro = int((digits[0] if digits else "").ljust(6, "0"))
    return moment.replace(microsecond=micro) if moment.year > 1 else None
