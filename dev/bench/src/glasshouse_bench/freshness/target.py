"""Where a running stack takes telemetry, and where its backends answer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from glasshouse_cli import operator
from glasshouse_cli.project import Project


@dataclass(frozen=True, kw_only=True)
class Target:
    """Base addresses on this machine. state: the stack's folder, with its secrets."""

    otlp: str
    loki: str
    tempo: str
    prometheus: str
    state: Path

    @property
    def token_file(self) -> Path:
        """What a service shows to be let in."""
        return self.state / "secrets" / "otlp_token"

    @property
    def reader(self) -> dict[str, str]:
        """Headers of somebody who may read the backends. Raises StackError when there are none."""
        return operator.headers(self.state)


def of(checkout: Project) -> Target:
    """Return where the stack of a checkout answers."""
    return Target(
        otlp=checkout.url("OTLP_HTTP_PORT"),
        loki=checkout.url("LOKI_PORT"),
        tempo=checkout.url("TEMPO_PORT"),
        prometheus=checkout.url("PROMETHEUS_PORT"),
        state=checkout.state,
    )
