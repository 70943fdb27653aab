"""Brings the stack up and waits until every component answers."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from glasshouse_cli import (
    alerting,
    certificates,
    compose,
    distributed,
    engine,
    handing,
    images,
    ownership,
    parts,
    plugin,
    ports,
    profiles,
    readiness,
    runbooks,
    secrets,
)
from glasshouse_cli.compose import Container
from glasshouse_cli.console import Terminal
from glasshouse_cli.doctor.ahead import Ahead
from glasshouse_cli.doctor.examine import Flow
from glasshouse_cli.engine import capacity, endpoint, facts, proxies
from glasshouse_cli.engine.endpoint import Endpoint
from glasshouse_cli.engine.facts import Facts
from glasshouse_cli.errors import StackError
from glasshouse_cli.limits import check as limits
from glasshouse_cli.operator import Operator
from glasshouse_cli.own import command as own_files
from glasshouse_cli.parts import Part
from glasshouse_cli.process import run, run_logged
from glasshouse_cli.project import Project, container_user

_ROLES_TIMEOUT_S = 300.0
_LOOK_EVERY_S = 2.0
_LOG_LINES = 15
_LOG_READ = 500
# Its image has a shell and the tools of Debian.
_TOOLS = "CLI_IMAGE"
# Java ends with the second when it is asked to, as before its container is replaced.
_UNHARMED = frozenset({0, 143})
# The clocks of engine and command are the same; its times are cut to whole seconds.
_CLOCK_SLACK = timedelta(seconds=1)


@dataclass(frozen=True, kw_only=True)
class Started:
    """A stack that is ready. flow: as the doctor takes it."""

    parts: list[Part]
    flow: Flow


def up(checkout: Project, terminal: Terminal) -> Started:
    """Limits, engine, images, secrets, containers; returns once every component is ready.

    Raises StackError with one line and the log that explains it.
    """
    wanted = compose.ports(checkout)
    limits.ensure(checkout.root)
    if checkout.is_distributed:
        distributed.check(checkout)
    checkout.prepare()
    plugin.ensure(checkout, terminal)
    compose.ensure_ours(checkout)
    if found := ports.clashes(wanted, compose.published_ports(checkout)):
        raise StackError(str(found[0]))
    found, where = facts.read(), endpoint.find()
    check_engine(checkout, found, where)
    tags = images.resolve(compose.image_variables(checkout), checkout=checkout, terminal=terminal)
    if capacity.free_disk_bytes(found) is None:
        capacity.check_disk(capacity.ask_free_disk_bytes(tags[_TOOLS]), found, where)
    own_files.ensure(checkout, tags, terminal)
    _check_password(checkout)
    has_roles = secrets.has(checkout.state, "database_owner_password")
    secrets.ensure(checkout.state, container_user())
    if checkout.is_distributed:
        distributed.ensure(checkout)
    elif certificates.asked_for(checkout):
        certificates.ensure(checkout.state, checkout.settings.get("GLASSHOUSE_HOSTS", ""))
    alerting.ensure(checkout)
    runbooks.write(checkout)
    profiles.write_rules(checkout)
    _hand_over(checkout, found, where, tags[_TOOLS])
    if profiles.GRAFANA not in compose.active_profiles(checkout) and _wants_grafana(checkout):
        terminal.say("Grafana's image cannot be had here: the stack starts without it")
    if not has_roles and engine.has_volume(_database_volume(checkout)):
        _make_roles(checkout, terminal)
    return _start(checkout, terminal)


def _wants_grafana(checkout: Project) -> bool:
    return profiles.GRAFANA in profiles.asked_for(checkout)


def check_engine(checkout: Project, found: Facts, where: Endpoint) -> None:
    """Raise StackError when the engine cannot run the stack, whatever it is given."""
    capacity.check(found, where, checkout.shape.memory_bytes)
    capacity.check_disk(capacity.free_disk_bytes(found), found, where)
    proxies.check_containers(compose.lasting_services(checkout), where.address)


def _hand_over(checkout: Project, found: Facts, where: Endpoint, image: str) -> None:
    """Let the containers read what they are given of this machine."""
    ownership.settings_files(checkout, compose.mounted(checkout), found)
    user = container_user()
    folders = handing.hand_out(checkout.state, compose.secrets(checkout), user)
    folders.append(checkout.state / "alertmanager" / "credentials")
    ownership.secret_folders(folders, user, found, where, image)


def _check_password(checkout: Project) -> None:
    # A new password would not open the old database, which shows only after a long wait.
    volume = _database_volume(checkout)
    if not secrets.has(checkout.state, "database_password") and engine.has_volume(volume):
        raise StackError(
            f"the volume {volume} knows a password that {checkout.state}/secrets has lost: "
            "restore the file, or delete the data with `make clean`"
        )


def _database_volume(checkout: Project) -> str:
    return f"{compose.project_name(checkout)}_postgres-data"


def _make_roles(checkout: Project, terminal: Terminal) -> None:
    """Bring a database from before it had an owner into this form, with what it holds."""
    with terminal.step("making the database's roles"):
        for arguments in (
            ("up", "--detach", "--wait", "--no-deps", "postgres"),
            ("exec", "-T", "postgres", "bash", "/docker-entrypoint-initdb.d/roles.sh"),
        ):
            ended = run(compose.command(checkout, *arguments), timeout=_ROLES_TIMEOUT_S)
            if not ended.ok:
                # Else the next run would take the roles for made.
                (checkout.state / "secrets" / "database_owner_password").unlink()
                raise StackError(f"the database's roles cannot be made: {ended.last_line}")


def distinct_lines(lines: Sequence[str], limit: int) -> list[str]:
    """The last `limit` lines that differ in more than numbers: the cause, not its echoes."""
    seen: dict[str, str] = {}
    for line in lines:
        # The first of its kind: what comes first is nearer to the cause.
        seen.setdefault(re.sub(r"\d+", "", line), line)
    return list(seen.values())[-limit:]


def _start(checkout: Project, terminal: Terminal) -> Started:
    log = checkout.logs / "up.log"
    wanted = compose.ports(checkout)
    log.unlink(missing_ok=True)
    watch, ahead = _Watch(checkout), Ahead(checkout)
    line = compose.command(checkout, "up", "--detach", "--remove-orphans")
    # Most of its containers publish no port: compose asks their health checks.
    line += ["--wait"] if checkout.is_distributed else []
    environment = {compose.CONFIGURATION: compose.configuration(checkout)}
    active = compose.active_components(checkout)
    urls = {one.service: checkout.url(one.variable) for one in active}
    probes = {one.service: urls[one.service] + one.ready for one in active}
    answers: dict[str, str] = {}
    began, clock = datetime.now(tz=UTC), time.monotonic()
    with ThreadPoolExecutor(max_workers=1) as pool, terminal.step("starting the stack") as step:
        starting = pool.submit(
            run_logged, line, log=log, timeout=checkout.shape.start_s, env=environment
        )

        def look() -> None:
            if starting.done() and starting.result() != 0:
                watch.explain(force=True)
                if cause := ports.explain(log.read_text(encoding="utf-8"), wanted):
                    raise StackError(cause)
                raise StackError(f"docker compose up failed, see {log}", log=log)
            watch.explain()

        def show(states: Mapping[str, str]) -> None:
            step.note("waiting for " + ", ".join(states))
            answers.update(states)
            if not checkout.is_distributed:
                ahead.begin(waiting=states)

        def wait(services: Iterable[str]) -> dict[str, float]:
            before = time.monotonic() - clock
            ready = readiness.wait(
                {service: probes[service] for service in services},
                deadline=checkout.shape.ready_s,
                auth=Operator(checkout),
                on_change=show,
                give_up=look,
                shape=checkout.shape,
            )
            return {service: before + seconds for service, seconds in ready.items()}

        ready = wait(probes)
        starting.result()  # worker and migrations publish no port: compose waits for them
        look()
        containers = compose.containers(checkout)
        # What answered may have been a container that was about to be replaced.
        ready |= wait(
            one.service
            for one in containers
            if one.service in probes
            and one.started
            and (one.started - began).total_seconds() > ready[one.service]
        )
    started = parts.of(
        containers,
        began,
        urls=urls,
        ready=ready,
        answers=answers,
        dependencies=compose.dependencies(checkout),
    )
    return Started(parts=started, flow=lambda: ahead.found(containers))


class _Watch:
    """Notices a container that ended or restarts, and says what it wrote last."""

    def __init__(self, checkout: Project) -> None:
        self._checkout = checkout
        self._since = datetime.now(tz=UTC) - _CLOCK_SLACK
        self._restarts = {c.id: c.restarts for c in compose.containers(checkout)}
        self._looked = time.monotonic()

    def explain(self, *, force: bool = False) -> None:
        """Raise StackError naming the first container at fault; looks only now and then."""
        if not force and time.monotonic() - self._looked < _LOOK_EVERY_S:
            return
        self._looked = time.monotonic()
        for container in compose.containers(self._checkout):
            if self._at_fault(container):
                raise self._fault(container)

    def _at_fault(self, container: Container) -> bool:
        if container.restarts > self._restarts.get(container.id, 0):
            return True
        ended = container.state in {"exited", "dead"} and container.exit_code not in _UNHARMED
        return ended and container.finished is not None and container.finished >= self._since

    def _fault(self, container: Container) -> StackError:
        log = self._checkout.logs / f"{container.service}.container.log"
        lines = distinct_lines(
            compose.logs(self._checkout, container.service, _LOG_READ), _LOG_LINES
        )
        log.write_text("\n".join(lines) + "\n", encoding="utf-8")
        what = "restarts" if container.restarts else "ended"
        return StackError(
            f"{container.service} {what} with exit code {container.exit_code}; its last lines:",
            log=log,
        )
