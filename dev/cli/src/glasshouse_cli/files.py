"""Writes files so that a reader sees the old content or the new, never a half."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path


def write_atomically(path: Path, text: str) -> None:
    """Replace `path` by `text` in one step, on disk before the name appears."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_variables(path: Path, head: str, values: Mapping[str, str]) -> None:
    """Write VAR=value lines under a comment line `head`."""
    lines = [f"# {head}", *(f"{key}={values[key]}" for key in sorted(values))]
    write_atomically(path, "\n".join(lines) + "\n")


def write_in_place(path: Path, content: bytes) -> None:
    """Write the file itself, in one go: a container that has it mounted sees no other of its name.

    A file that is missing is made, for its owner alone.
    """
    handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.pwrite(handle, content, 0)
        os.ftruncate(handle, len(content))
        os.fsync(handle)
    finally:
        os.close(handle)
