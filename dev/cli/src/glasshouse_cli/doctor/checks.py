"""The single checks. Each returns rows and never raises."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Literal

import httpx

from glasshouse_cli import (
    certificates,
    compose,
    engine,
    host,
    plugin,
    ports,
    profiles,
    readiness,
    secrets,
)
from glasshouse_cli.components import of as components_of
from glasshouse_cli.doctor import canary as canaries
from glasshouse_cli.engine import Facts, capacity, facts
from glasshouse_cli.errors import StackError
from glasshouse_cli.operator import Operator
from glasshouse_cli.project import Project

Status = Literal["ok", "failed", "skipped"]

_ARRIVAL_TIMEOUT_S = 20.0
_REQUEST_TIMEOUT_S = 5.0
_POLL_S = 0.3
_MEMORY_BYTES = 512 * 1024**2


@dataclass(frozen=True, kw_only=True)
class Check:
    """One row: what was checked, how it went, and after a failure the command to run next."""

    name: str
    status: Status
    detail: str
    next: str = ""

    def as_dict(self) -> dict[str, str]:
        """For scripts."""
        return asdict(self)


def _in_order(row: Check, signal: str, backend: str) -> Check:
    del signal
    return replace(row, next=f"make logs PART=collector, then PART={backend.lower()}")


@dataclass(frozen=True, kw_only=True)
class Way:
    """What a canary is sent to, and how it is looked for.

    name: what takes it, in rows; says: in a sentence; service: its container. reader: headers of
    who reads. within_s: seconds until it has to be there. logs: the command that shows a service's
    log. leads_to: the name of the row of a signal's arrival. explain: adds the cause and what to do
    next to the row of a signal that did not arrive at a backend, or not as it should.
    """

    name: str = "Collector"
    says: str = "the Collector"
    service: str = "collector"
    reader: Mapping[str, str] = field(default_factory=dict[str, str])
    within_s: float = _ARRIVAL_TIMEOUT_S
    logs: Callable[[str], str] = "make logs PART={}".format
    leads_to: Callable[[str, str], str] = "{} → {}".format
    explain: Callable[[Check, str, str], Check] = _in_order
    canary: canaries.Canary = field(default_factory=canaries.make)


def machine(checkout: Project) -> Iterator[Check]:
    """Engine, compose plugin, memory, disk."""
    try:
        yield _ok("engine", engine.version())
    except StackError as error:
        yield _failed("engine", str(error), "make up")
    compose_version = plugin.version()
    if compose_version:
        yield _ok("compose plugin", compose_version)
    else:
        yield _failed("compose plugin", "`docker compose` does not work", "glasshouse engine")
    try:
        found = facts.read()
    except StackError:
        return  # said above
    yield _memory(found, checkout.shape.memory_bytes)
    yield _disk(checkout, found)


def _memory(found: Facts, needed: int) -> Check:
    total = f"{found.memory_bytes / 1024**3:.1f} GiB"
    available = host.available_memory_bytes() if found.is_here else None
    if available is None:
        # What a virtual machine has left, its engine does not say.
        enough = found.memory_bytes >= needed * capacity.MEMORY_SHARE
        text = f"the engine has {total}"
    else:
        enough = available >= _MEMORY_BYTES
        text = f"{available / 1024**3:.1f} of {total} available"
    return _ok("memory", text) if enough else _failed("memory", text, "docker stats --no-stream")


def _disk(checkout: Project, found: Facts) -> Check:
    free = capacity.free_disk_bytes(found)
    if free is None and (image := compose.image(checkout, "CLI_IMAGE")):
        free = capacity.ask_free_disk_bytes(image)
    if free is None:
        text = "only the engine knows it, and there is no image yet to ask with"
        return Check(name="disk", status="skipped", detail=text)
    text = f"{free / 1024**3:.1f} GiB free"
    enough = free >= host.STACK_DISK_BYTES
    return _ok("disk", text) if enough else _failed("disk", text, "docker system df")


def port_clashes(checkout: Project) -> Iterator[Check]:
    """Ports that another program holds."""
    try:
        wanted = compose.ports(checkout)
    except StackError as error:
        yield _failed("ports", str(error), "edit .env")
        return
    found = ports.clashes(wanted, compose.published_ports(checkout))
    for clash in found:
        yield _failed("ports", str(clash), "edit .env")
    if not found:
        yield _ok("ports", f"{min(wanted.values())} to {max(wanted.values())}, no clash")


def components(checkout: Project) -> Iterator[Check]:
    """Readiness of each component, from outside."""
    active = compose.active_components(checkout)
    asked = profiles.asked_for(checkout)
    with readiness.client(Operator(checkout)) as http:
        for component in components_of(checkout):
            if component not in active:
                off = f"{profiles.VARIABLE} is without {component.profile}"
                detail = "its image cannot be had here" if component.profile in asked else off
                yield Check(name=component.name, status="skipped", detail=detail)
                continue
            url = checkout.url(component.variable)
            state = readiness.probe(http, url + component.ready)
            if state is None:
                yield _ok(component.name, url)
            else:
                yield _failed(
                    component.name,
                    f"{url}{component.ready}: {state}",
                    f"{checkout.shape.make('logs')} PART={component.service}",
                )


def data_flow(checkout: Project) -> Iterator[Check]:
    """One log, span and metric through the Collector, read back, with nothing personal left."""
    yield from follow(
        otlp=certificates.otlp_url(checkout),
        loki=checkout.url("LOKI_PORT"),
        tempo=checkout.url("TEMPO_PORT"),
        prometheus=checkout.url("PROMETHEUS_PORT"),
        auth=Operator(checkout),
        sender=secrets.sender(checkout),
        verify=certificates.context(checkout),
    )


def senders(checkout: Project) -> Iterator[Check]:
    """What the Collector asks of those who send."""
    asked = checkout.settings.get("OTLP_AUTH") or "token"
    if asked == "none":
        detail = "OTLP_AUTH=none: whoever reaches the OTLP ports may send, without a token"
        yield Check(name="OTLP token", status="skipped", detail=detail)
    else:
        yield _ok("OTLP token", "asked of everybody who sends")
    if certificates.asked_for(checkout):
        yield _ok("OTLP TLS", "mutual: who sends shows a certificate")


def follow(
    *,
    otlp: str,
    loki: str,
    tempo: str,
    prometheus: str,
    auth: httpx.Auth | None = None,
    sender: Mapping[str, str] = MappingProxyType({}),
    verify: ssl.SSLContext | bool = True,
    way: Way | None = None,
) -> Iterator[Check]:
    """As `data_flow`, for any base addresses.

    auth: what opens those that ask for it. sender: headers of somebody who may send.
    verify: what is shown and trusted where TLS is spoken. way: what leads there, where it is not
    the Collector of one machine.
    """
    way = way or Way()
    canary = way.canary
    ways = (
        ("logs", canaries.log_payload, "Loki", canaries.stored_log, loki),
        ("traces", canaries.span_payload, "Tempo", canaries.stored_trace, tempo),
        ("metrics", canaries.metric_payload, "Prometheus", canaries.stored_metric, prometheus),
    )
    with httpx.Client(
        timeout=_REQUEST_TIMEOUT_S,
        trust_env=False,
        auth=auth,
        verify=verify,
        headers=dict(way.reader),
    ) as http:
        started = time.monotonic()
        accepted: list[bool] = []
        for signal, payload, *_ in ways:
            refusal = canaries.send(http, otlp, signal, payload(canary), sender)
            accepted.append(refusal is None)
            name = f"{signal} → {way.name}"
            if refusal is None:
                yield _ok(name, "accepted")
            else:
                yield _failed(name, refusal, way.logs(way.service))

        def arrive(index: int) -> Check:
            signal, _, backend, read, url = ways[index]
            name = way.leads_to(signal, backend)
            if not accepted[index]:
                return Check(name=name, status="skipped", detail=f"{way.says} did not take it")
            stored = partial(read, http, url, canary)
            row = _arrival(name, way, started, stored)
            # What says already what to do, such as of a value that leaked, stays.
            return row if row.status == "ok" or row.next else way.explain(row, signal, backend)

        # At once, so that each is timed from the moment it was sent.
        with ThreadPoolExecutor(max_workers=len(ways)) as pool:
            yield from pool.map(arrive, range(len(ways)))


def _arrival(name: str, way: Way, started: float, read: Callable[[], str | None]) -> Check:
    last = "not there"
    while time.monotonic() - started < way.within_s:
        try:
            stored = read()
        except httpx.HTTPStatusError as error:
            last = f"HTTP {error.response.status_code}"
        except httpx.HTTPError as error:
            last = type(error).__name__
        except (KeyError, ValueError):
            last = "an answer that cannot be read"
        else:
            if stored is not None:
                return _verdict(name, way.canary, stored, time.monotonic() - started)
            last = "not there"
        time.sleep(_POLL_S)
    return _failed(name, f"accepted by {way.says}, but {last} after {way.within_s:.0f} s", "")


def _verdict(name: str, canary: canaries.Canary, stored: str, seconds: float) -> Check:
    if leaked := canary.leaks(stored):
        detail = f"stored unredacted: {', '.join(leaked)}"
        return _failed(name, detail, "check the rules in redaction/rules.yaml")
    return _ok(name, f"arrived after {seconds:.1f} s, redacted")


def _ok(name: str, detail: str) -> Check:
    return Check(name=name, status="ok", detail=detail)


def _failed(name: str, detail: str, following: str) -> Check:
    return Check(name=name, status="failed", detail=detail, next=following)


def unexpected(name: str, error: Exception) -> Check:
    """A row for a group of checks that could not be made."""
    return _failed(name, str(error), "fix what is named above first")
