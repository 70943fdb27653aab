"""The checks of the stack past one machine: its parts, and a canary from each edge."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace

import httpx

from glasshouse_cli import compose, distributed, secrets
from glasshouse_cli.compose import Container
from glasshouse_cli.distributed import Edge
from glasshouse_cli.doctor import canary as canaries
from glasshouse_cli.doctor import checks
from glasshouse_cli.doctor.canary import Canary
from glasshouse_cli.doctor.checks import Check, Way
from glasshouse_cli.operator import Operator
from glasshouse_cli.project import Project

# Three queues and a replication more than on one machine.
_WITHIN_S = 60.0
_REQUEST_TIMEOUT_S = 10.0
_LOG_LINES = 200
_QUOTED = 160
# What a sender may claim. No edge has it, so nothing may be stored under it.
STRANGER = "glasshouse-doctor-stranger"
TENANT_HEADER = "X-Scope-OrgID"
# What a signal passes after its edge, by the beginnings of services' names.
_WAY = {
    "Loki": ("kafka-", "gateway-", "s3", "loki-"),
    "Tempo": ("kafka-", "gateway-", "s3", "tempo-"),
    "Prometheus": ("kafka-", "gateway-", "s3", "prometheus-", "thanos-"),
}


def parts(checkout: Project) -> Iterator[Check]:
    """Each container that is not healthy, or one row for all."""
    found = {one.service: one for one in compose.containers(checkout)}
    wanted = compose.started_services(checkout)
    logs = checkout.shape.make("logs")
    faults = {name: _fault(found.get(name)) for name in wanted}
    for name, fault in faults.items():
        if fault:
            following = f"{logs} PART={name}" if name in found else checkout.shape.make("up")
            yield Check(name=name, status="failed", detail=fault, next=following)
    if not any(faults.values()):
        yield Check(name="containers", status="ok", detail=f"{len(wanted)} run, none unhealthy")


def data_flow(checkout: Project) -> Iterator[Check]:
    """A log, a span and a metric through each edge, read back by its tenant, and by no other."""
    for edge in distributed.edges(checkout):
        yield from _follow(checkout, edge)


def _follow(checkout: Project, edge: Edge) -> Iterator[Check]:
    way = Way(
        name=edge.name,
        says=edge.name,
        service=edge.name,
        reader={TENANT_HEADER: edge.tenant},
        within_s=_WITHIN_S,
        logs=f"{checkout.shape.make('logs')} PART={{}}".format,
        leads_to=f"{{}} → {edge.name} → {{}}".format,
        explain=lambda row, _, backend: _explained(checkout, edge, row, backend),
        canary=canaries.make(),
    )
    arrived = True
    # The claim counts for nothing: whose it is, says the edge's certificate.
    sender = {**secrets.sender(checkout), TENANT_HEADER: STRANGER}
    for row in checks.follow(
        otlp=edge.url,
        loki=checkout.url("LOKI_PORT"),
        tempo=checkout.url("TEMPO_PORT"),
        prometheus=checkout.url("PROMETHEUS_PORT"),
        auth=Operator(checkout),
        sender=sender,
        way=way,
    ):
        arrived = arrived and row.status == "ok"
        yield row
    name = f"tenant of {edge.name}"
    if not arrived:
        yield Check(name=name, status="skipped", detail="not all of the canary has arrived")
        return
    seen = _seen_by_others(checkout, way.canary)
    if seen:
        yield Check(
            name=name,
            status="failed",
            detail=f"{', '.join(seen)}: another tenant than {edge.tenant} sees it, too",
            next="auth_enabled in deploy/loki/loki.yaml, multitenancy_enabled in deploy/tempo/",
        )
    else:
        detail = f"{edge.tenant} has it, whatever the sender claims; no other tenant sees it"
        yield Check(name=name, status="ok", detail=detail)


def _seen_by_others(checkout: Project, canary: Canary) -> list[str]:
    """The backends that show the canary to a tenant whose it is not."""
    found: list[str] = []
    with httpx.Client(
        timeout=_REQUEST_TIMEOUT_S,
        trust_env=False,
        auth=Operator(checkout),
        headers={TENANT_HEADER: STRANGER},
    ) as http:
        for backend, read, variable in (
            ("Loki", canaries.stored_log, "LOKI_PORT"),
            ("Tempo", canaries.stored_trace, "TEMPO_PORT"),
        ):
            try:
                if read(http, checkout.url(variable), canary) is not None:
                    found.append(backend)
            except httpx.HTTPError as error:
                found.append(f"{backend} ({type(error).__name__})")
    return found


def _explained(checkout: Project, edge: Edge, row: Check, backend: str) -> Check:
    """The row, with the first part of the way that is not healthy, or what one complains of."""
    logs = checkout.shape.make("logs")
    containers = {one.service: one for one in compose.containers(checkout)}
    beginnings = (edge.name, *_WAY[backend])
    way = [
        name
        for beginning in beginnings
        for name in compose.started_services(checkout)
        if name.startswith(beginning)
    ]
    for name in way:
        if fault := _fault(containers.get(name)):
            return replace(row, detail=f"{row.detail}; {name}: {fault}", next=f"{logs} PART={name}")
    # From the backend on: who is near the cause says it, and those before wait.
    for name in reversed(way):
        if complaint := _complaint(compose.logs(checkout, name, _LOG_LINES)):
            detail = f"{row.detail}; {name} says: {complaint}"
            return replace(row, detail=detail, next=f"{logs} PART={name}")
    return replace(row, next=", then ".join((f"{logs} PART={edge.name}", f"PART={way[-1]}")))


def _complaint(lines: Sequence[str]) -> str:
    """The last line that reports a failure, as JSON or in logfmt; empty when there is none."""
    for line in reversed(lines):
        if line.startswith("{"):
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if str(entry.get("level", "")).lower() in {"warn", "error", "fatal"}:
                text = f"{entry.get('msg', '')}: {entry.get('error', '')}".strip(": ")
                return text[:_QUOTED]
        elif "level=error" in line or " ERROR " in line or " FATAL " in line:
            return line[-_QUOTED:]
    return ""


def _fault(container: Container | None) -> str:
    if container is None:
        return "there is no container of it"
    if not container.running:
        return f"{container.state}, exit code {container.exit_code}"
    if container.health == "unhealthy":
        return "running, and unhealthy"
    return ""
