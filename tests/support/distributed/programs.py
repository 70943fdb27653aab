"""The programs of images, compiled as their images have them, without an image."""

import fcntl
import shutil
import tempfile
from pathlib import Path
from typing import Final

from glasshouse_cli.images import build_go, recipe
from support.deployed import ROOT

# Kept for the next run: the name ends in a digest over the recipe.
_FOLDER: Final = ROOT / ".glasshouse" / "programs"


def built(name: str) -> Path:
    """Return the folder with the programs of an image, compiled when they are not there.

    Raises:
        StackError: Go is missing, or a program does not compile.
    """
    wanted = recipe.load(ROOT, name)
    target = _FOLDER / f"{name}-{wanted.digest()}"
    _FOLDER.mkdir(parents=True, exist_ok=True)
    with (_FOLDER / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.is_dir():
            for old in _FOLDER.glob(f"{name}-*"):
                shutil.rmtree(old)
            work = Path(tempfile.mkdtemp(dir=_FOLDER, prefix=f".{name}-"))
            try:
                log = _FOLDER / f"{name}.log"
                build_go.compile_programs(wanted, work / "bin", work, log, lambda _: None)
                (work / "bin").rename(target)
            finally:
                shutil.rmtree(work, ignore_errors=True)
    return target
