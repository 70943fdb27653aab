"""What the stack past one machine needs beyond that of one: who may send, and certificates."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import cast

import yaml

from glasshouse_cli import certificates, compose, secrets
from glasshouse_cli.errors import StackError
from glasshouse_cli.project import Project

TENANTS = "deploy/gateway/tenants.yaml"
# As the backends take it for a header's value and a folder's name.
_TENANT = re.compile(r"[a-z0-9]([a-z0-9_-]{0,62}[a-z0-9])?")


@dataclass(frozen=True, kw_only=True)
class Edge:
    """A Collector beside services. name: of its certificate. tenant: whose records it sends."""

    name: str
    tenant: str
    url: str


def edges(checkout: Project) -> list[Edge]:
    """The edges that this machine can send to, with the tenants that gateways give them.

    Raises StackError when the file of tenants cannot be read, or does not name one of them.
    """
    tenants = _tenants(checkout)
    found: list[Edge] = []
    for name, variable in (("edge-1", "OTLP_HTTP_PORT"), ("edge-2", "SECOND_EDGE_PORT")):
        if name not in tenants:
            raise StackError(f"{TENANTS} names no tenant for {name}: add `{name}: <tenant>`")
        found.append(Edge(name=name, tenant=tenants[name], url=checkout.url(variable)))
    return found


def check(checkout: Project) -> None:
    """Raise StackError, before anything starts, when settings cannot be used."""
    if certificates.asked_for(checkout):
        raise StackError(
            "OTLP_TLS=mutual is for one machine: set it to off in .env; between hosts this stack "
            "speaks mutual TLS anyhow"
        )
    edges(checkout)


def ensure(checkout: Project) -> None:
    """Make what is missing: certificates of edges, gateways and brokers, and the key of S3."""
    services = compose.lasting_services(checkout)
    certificates.ensure(
        checkout.state,
        edges=[edge.name for edge in edges(checkout)],
        gateways=[one for one in services if one.startswith("gateway-")],
        brokers=[one for one in services if one.startswith("kafka-")],
    )
    secrets.make(checkout.state, "s3_credentials", _s3_key())


def _s3_key() -> str:
    """A new key in the form in which AWS' own tools keep one."""
    lines = ("[default]", f"aws_access_key_id = {secrets.generate()[:20]}")
    return "\n".join((*lines, f"aws_secret_access_key = {secrets.generate()}")) + "\n"


def _tenants(checkout: Project) -> dict[str, str]:
    path = checkout.root / TENANTS
    try:
        document = cast("object", yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise StackError(f"{path} cannot be read: {_brief(error)}") from error
    if not isinstance(document, dict):
        raise StackError(f"{path} must hold lines such as `edge-1: team-a`")
    found: dict[str, str] = {}
    for name, tenant in cast("dict[object, object]", document).items():
        if not isinstance(tenant, str) or not _TENANT.fullmatch(tenant):
            raise StackError(
                f"{path}: {name}: {tenant!r} is no tenant: use a-z, 0-9, - and _, at most 64"
            )
        found[str(name)] = tenant
    return found


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())
