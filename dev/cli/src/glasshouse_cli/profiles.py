"""Which parts of the stack start: COMPOSE_PROFILES, as compose reads it."""

from __future__ import annotations

from typing import Final

from glasshouse_cli.errors import StackError
from glasshouse_cli.project import Project

VARIABLE: Final = "COMPOSE_PROFILES"
DEMO: Final = "demo"
GRAFANA: Final = "grafana"
# Has no service of its own: named where no other is, so that the variable says nothing.
TELEMETRY: Final = "telemetry"
KNOWN: Final = (DEMO, GRAFANA, TELEMETRY)


def asked_for(checkout: Project) -> list[str]:
    """The profiles that are to start, in the order of KNOWN.

    Raises StackError for one that the compose file does not have.
    """
    names = {name.strip() for name in checkout.settings.get(VARIABLE, "").split(",")} - {""}
    if unknown := sorted(names - set(KNOWN)):
        raise StackError(f"{VARIABLE}: there is no {unknown[0]!r}: choose from {', '.join(KNOWN)}")
    return [name for name in KNOWN if name in names]
