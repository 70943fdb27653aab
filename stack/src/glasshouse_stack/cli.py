"""The `glasshouse` command."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from glasshouse_stack import engine as engines
from glasshouse_stack import images as image_store
from glasshouse_stack import plugin
from glasshouse_stack.console import Terminal, plain_table
from glasshouse_stack.errors import StackError
from glasshouse_stack.images.resolve import as_json

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Runs the Glasshouse stack on this machine."
)


@app.command()
def engine() -> None:
    """Make sure of the Docker engine and the compose plugin."""
    terminal = Terminal()
    plugin.ensure(terminal=terminal)
    terminal.say(f"Docker {engines.version()}, compose {plugin.version()}")


@app.command()
def images(
    names: Annotated[list[str] | None, typer.Argument(help="only these; all if none")] = None,
    as_script: Annotated[bool, typer.Option("--json", help="for scripts")] = False,
    rebuild: Annotated[bool, typer.Option(help="build anew, with today's packages")] = False,
) -> None:
    """Get each image: present, else pulled, else built from images/."""
    terminal = Terminal()
    found = image_store.obtain(names or (), terminal=terminal, rebuild=rebuild)
    if as_script:
        terminal.json(as_json(found))
        return
    table = plain_table("image", "how", "seconds", "MB", "tag")
    for image in found:
        size = f"{image.size_bytes / 1e6:.0f}" if image.size_bytes else "-"
        table.add_row(image.name, image.how, f"{image.seconds:.1f}", size, image.tag)
    terminal.table(table)


def main() -> None:
    """Run the command; a fault is one line and exit code 1, never a traceback."""
    try:
        app()
    except StackError as error:
        Terminal().error(str(error), error.log)
        sys.exit(1)
    except KeyboardInterrupt:
        Terminal().say("interrupted; the next run goes on from here")
        sys.exit(130)
