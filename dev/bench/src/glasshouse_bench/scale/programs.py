"""The programs of the images, compiled on this machine as the images have them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from glasshouse_cli.errors import StackError
from glasshouse_cli.images import build_go, recipe
from glasshouse_cli.process import run_logged

_COLLECTOR_WITHIN_S = 1800.0


def backend(root: Path, name: str, folder: Path, note: Callable[[str], None]) -> Path:
    """Compile the program of an image; return it.

    Raises:
        StackError: Go is missing, or it does not compile.
    """
    found = recipe.load(root, name)
    work = folder / name
    work.mkdir(parents=True)
    build_go.compile_programs(found, work / "bin", work, work / "log", note)
    return work / "bin" / name


def collector(root: Path, folder: Path) -> Path:
    """Compile the Collector, once in a folder; return it. Raises StackError as `backend` does."""
    program, log = folder / "otelcol", folder / "collector.log"
    if program.is_file():
        return program
    options = ["-mod=readonly", "-trimpath", "-ldflags=-s -w"]
    code = run_logged(
        ["go", "build", *options, "-o", str(program), "."],
        log=log,
        timeout=_COLLECTOR_WITHIN_S,
        cwd=root / "collector" / "distribution",
        env={"CGO_ENABLED": "0"},
    )
    if code != 0:
        raise StackError(f"the Collector does not compile, see {log}", log=log)
    return program
