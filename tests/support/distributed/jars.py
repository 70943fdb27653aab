"""Kafka's jars, as its image has them."""

import fcntl
import shutil
from pathlib import Path
from typing import Final

from glasshouse_cli.images import build_java, recipe
from support.deployed import ROOT

_FOLDER: Final = ROOT / ".glasshouse" / "programs"


def kafka() -> Path:
    """Return the folder with the jars of Kafka, fetched when they are not there.

    Raises:
        StackError: Maven is missing, or a jar is not the one that is locked.
    """
    wanted = recipe.load(ROOT, "kafka")
    target = _FOLDER / f"kafka-{wanted.digest()}"
    _FOLDER.mkdir(parents=True, exist_ok=True)
    with (_FOLDER / "kafka.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.is_dir():
            for old in _FOLDER.glob("kafka-*"):
                shutil.rmtree(old)
            build_java.fetch(wanted, target, _FOLDER / "kafka.log")
    return target
