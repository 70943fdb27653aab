"""Which parts of the stack start: COMPOSE_PROFILES, as compose reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import yaml

from glasshouse_cli.errors import StackError
from glasshouse_cli.files import write_atomically
from glasshouse_cli.project import Project

VARIABLE: Final = "COMPOSE_PROFILES"
DEMO: Final = "demo"
GRAFANA: Final = "grafana"
# Has no service of its own: named where no other is, so that the variable says nothing.
TELEMETRY: Final = "telemetry"
_WITHOUT: Final = "stack:without_backend"
KNOWN: Final = (DEMO, GRAFANA, TELEMETRY)


def asked_for(checkout: Project) -> list[str]:
    """The profiles that are to start, in the order of KNOWN.

    Raises StackError for one that the compose file does not have.
    """
    names = {name.strip() for name in checkout.settings.get(VARIABLE, "").split(",")} - {""}
    if unknown := sorted(names - set(KNOWN)):
        raise StackError(f"{VARIABLE}: there is no {unknown[0]!r}: choose from {', '.join(KNOWN)}")
    return [name for name in KNOWN if name in names]


def write_rules(checkout: Project) -> Path:
    """Write `state`/profiles, which Prometheus reads: what does not start, no alert misses."""
    folder = checkout.state / "profiles"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)  # Prometheus may run as another user
    rules = [] if DEMO in asked_for(checkout) else [{"record": _WITHOUT, "expr": "vector(1)"}]
    text = yaml.safe_dump({"groups": [{"name": "profiles", "rules": rules}]}, sort_keys=False)
    target = folder / "profiles.yaml"
    write_atomically(target, f"# Made from {VARIABLE} at each start.\n{text}")
    return target
