"""Deletes what the stack keeps on this machine."""

from __future__ import annotations

import shutil
from dataclasses import replace

from glasshouse_cli import compose
from glasshouse_cli.console import Terminal
from glasshouse_cli.errors import StackError
from glasshouse_cli.images import recipe as recipes
from glasshouse_cli.process import run
from glasshouse_cli.project import SHAPES, Project

_TIMEOUT_S = 120.0


def clean(checkout: Project, terminal: Terminal, *, built_images: bool = False) -> None:
    """Remove containers, volumes and the state folder; with `built_images`, those too.

    Those of every stack of this checkout: they share secrets. Raises StackError when the containers
    cannot be removed; the rest stays then.
    """
    with terminal.step("deleting"):
        for shape in SHAPES:
            # Compose wants a value for every image and secret, even to remove them.
            one = replace(checkout, shape=shape)
            line = compose.command(one, "--profile", "*", "down", "--volumes", "--remove-orphans")
            stopped = run(line, timeout=_TIMEOUT_S)
            if not stopped.ok:
                raise StackError(f"docker compose down failed: {stopped.last_line}")
        if built_images:
            _remove_images(checkout)
        shutil.rmtree(checkout.state, ignore_errors=False)
    terminal.say("deleted the stack's data and secrets")


def _remove_images(checkout: Project) -> None:
    for recipe in recipes.load_all(checkout.root):
        listed = run(
            [
                "docker",
                "images",
                "--format",
                "{{.Repository}}:{{.Tag}}",
                f"glasshouse/{recipe.name}",
            ],
            timeout=_TIMEOUT_S,
        )
        if tags := listed.out.split():
            run(["docker", "rmi", "--force", *tags], timeout=_TIMEOUT_S)
