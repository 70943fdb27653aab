"""Proxies in the way: the Docker client gives its own to every container that it makes."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from glasshouse_cli.errors import StackError


def check_containers(services: Sequence[str], address: str) -> None:
    """Raise StackError when containers would ask a proxy for each other.

    services: the names under which they call each other. address: the engine's.
    """
    file = _file()
    try:
        proxies = json.loads(file.read_text(encoding="utf-8")).get("proxies", {})
        chosen: dict[str, Any] = proxies.get(address) or proxies.get("default") or {}
    except (OSError, ValueError, AttributeError):
        return  # no such file, or one that the client itself complains of
    proxy = chosen.get("httpProxy")
    if not proxy:
        return
    exempt = {one.strip() for one in str(chosen.get("noProxy", "")).split(",")}
    missing = [name for name in services if name not in exempt]
    if missing and "*" not in exempt:
        raise StackError(
            f"{file} puts the proxy {proxy} between the containers: add {','.join(missing)} to "
            "noProxy there"
        )


def shells() -> str | None:
    """The variable of this shell that names a proxy, None when none does."""
    names = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy")
    return next((name for name in names if os.environ.get(name)), None)


def is_exempt(name: str) -> bool:
    """Whether the shell says that `name` is reached without a proxy."""
    said = os.environ.get("NO_PROXY") or os.environ.get("NO_PROXY".lower()) or ""
    return name in {one.strip() for one in said.split(",")}


def _file() -> Path:
    folder = os.environ.get("DOCKER_CONFIG")
    return (Path(folder) if folder else Path.home() / ".docker") / "config.json"
