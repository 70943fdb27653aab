"""The folder of the engine's data, with a fixed name: a killed run leaves it to the next one."""

import contextlib
import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.stack import PROJECT_NAME
from support.waiting import until

NAME = f"{PROJECT_NAME}-registry"


@contextlib.contextmanager
def alone(name: str = NAME) -> Iterator[Path]:
    """Yield the empty folder to one test run at a time; delete it before and after."""
    folder = Path(tempfile.gettempdir()) / name
    lock = folder.with_suffix(".lock")
    with lock.open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pytest.skip(f"another run of these tests holds {lock}")
        _sweep(folder)
        folder.mkdir(mode=0o755)
        try:
            yield folder
        finally:
            _sweep(folder)


def _sweep(folder: Path) -> None:
    def gone() -> tuple[bool | None, object]:
        try:
            if folder.exists():
                shutil.rmtree(folder)
            groups = Path("/sys/fs/cgroup")
            for parent in (*groups.glob(f"*/{folder.name}"), groups / folder.name):
                _remove_groups(parent)
        except OSError as error:  # while the last processes end
            return None, error
        return True, None

    until(gone, what="what an earlier run left is gone")


def _remove_groups(parent: Path) -> None:
    if not parent.is_dir():
        return
    for child in parent.iterdir():
        if child.is_dir():
            _remove_groups(child)
    parent.rmdir()
