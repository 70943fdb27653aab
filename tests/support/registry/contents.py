"""Fills a registry's storage: official names, with our builds of the same programs behind them."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from glasshouse_cli.images import recipe as recipes
from glasshouse_cli.project import Project
from support import ports
from support.registry import server
from support.registry.upload import Upload

_SAVED_WITHIN_S = 300
# Each change of an image adds one; what no name leads to any more is never deleted.
_MOST_BYTES = 2 * 1024**3
# Of a release that never was.
RELEASE = "0.0.0-test"


def names(project: Project) -> dict[str, str]:
    """Return each image's variable and its name in the registry, without the registry's own name.

    Those of others have the name that `.env` says, as Docker Hub has it; ours that of a release.
    What the stack of one machine does without is not among them.
    """
    found: dict[str, str] = {}
    for recipe in recipes.load_all(project.root):
        if recipe.on_request:
            continue
        assert recipe.variable is not None
        if recipe.upstream:
            name = project.settings[recipe.variable]
            found[recipe.variable] = name if "/" in name else f"library/{name}"
        else:
            found[recipe.variable] = f"glasshouse/{recipe.name}:{RELEASE}"
    return found


def release(project: Project, registry: str) -> dict[str, str]:
    """Return the variables of our own images, each with its whole name at `registry`."""
    found = names(project).items()
    return {variable: f"{registry}/{name}" for variable, name in found if RELEASE in name}


def fill(storage: Path, wanted: Mapping[str, str]) -> None:
    """Store images of the main engine, by their names in the registry; those that changed.

    What was stored is written beside the storage, so that the next run finds it.
    """
    if _size(storage) > _MOST_BYTES:
        shutil.rmtree(storage)
        _list(storage).unlink()
    there = stored(storage)
    ids = {
        name: _docker("image", "inspect", "--format", "{{.Id}}", wanted[name]) for name in wanted
    }
    missing = {name: image for name, image in wanted.items() if there.get(name) != ids[name]}
    if not missing:
        return
    storage.mkdir(parents=True, exist_ok=True)
    port = ports.free(["registry"])["registry"]
    with (
        tempfile.NamedTemporaryFile(dir=storage.parent, suffix=".tar") as archive,
        server.running(storage, port) as registry,
    ):
        # All at once: layers that they share are there once.
        _docker("save", "--output", archive.name, *sorted(set(missing.values())))
        with Upload(f"http://{registry}", Path(archive.name)) as upload:
            upload.store(missing)
    _list(storage).write_text(json.dumps(there | ids), encoding="utf-8")


def stored(storage: Path) -> dict[str, str]:
    """Return the id of each image that was stored, by its name there."""
    file = _list(storage)
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def _list(storage: Path) -> Path:
    return storage.with_name("stored.json")


def _docker(*arguments: str) -> str:
    ran = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, timeout=_SAVED_WITHIN_S, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
