"""Builds an image of ours in the engine, from official images: this machine needs no toolchain."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from glasshouse_cli import compose
from glasshouse_cli.errors import StackError
from glasshouse_cli.images.recipe import Recipe
from glasshouse_cli.process import run_logged
from glasshouse_cli.project import Project

_TIMEOUT_S = 3600.0


def build(
    checkout: Project, recipe: Recipe, tag: str, log: Path, note: Callable[[str], None]
) -> None:
    """Build the recipe's target of dev/images/Dockerfile under the name `tag`.

    By compose, which brings a BuildKit client of its own. Raises StackError when it fails.
    """
    variable = recipe.variable or ""
    service = compose.service_of(checkout, variable)
    line = compose.command(checkout, "--progress", "plain", "build", service)
    environment = {variable: tag, "OWN_IMAGES": "build"}
    if run_logged(line, log=log, timeout=_TIMEOUT_S, env=environment, on_line=note) != 0:
        raise StackError(f"{recipe.name}: docker compose build failed, see {log}", log=log)
