"""Lays a copy of each secret into a folder of the container that needs it, and of no other.

A container sees its folder as /run/secrets. A folder and not files, because compose creates all
containers before it starts the first: what the first makes is not there yet when the others are.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from glasshouse_cli import ownership
from glasshouse_cli.errors import StackError
from glasshouse_cli.files import write_in_place
from glasshouse_cli.project import User

_FOLDER: Final = Path("secrets", "for")
# Those that are no random value: what `glasshouse certificates` makes.
_ELSEWHERE: Final = {
    "otlp_authority": "authority.pem",
    "otlp_client_certificate": "client.pem",
    "otlp_client_key": "client.key",
    "otlp_collector_certificate": "collector.pem",
    "otlp_collector_key": "collector.key",
}
_FILE, _SHARED_FILE = 0o600, 0o640
_DIRECTORY, _SHARED_DIRECTORY = 0o700, 0o750


def hand_out(state: Path, wanted: Mapping[str, Sequence[str]], user: User) -> list[Path]:
    """Copy the secrets of each service, by name, and return the folders.

    wanted: names of secrets by service; `name:file` is that file of those in `state`/certificates,
    under another name. user: who reads them inside. Run by root, the copies
    belong to whoever owns the secrets, and are readable to the group of `user`. A folder of a
    service that wants none any more is emptied. Raises StackError when a secret is missing or
    cannot be read.
    """
    folders: list[Path] = []
    top = state / _FOLDER
    top.mkdir(parents=True, exist_ok=True)
    owner = (state / "secrets").stat().st_uid
    _give(top, owner, user, (_DIRECTORY, _SHARED_DIRECTORY))
    for service, names in sorted(wanted.items()):
        folder = top / service
        folder.mkdir(exist_ok=True)
        sources = dict(_source(state, name) for name in names)
        for stale in {path.name for path in folder.iterdir()} - sources.keys():
            (folder / stale).unlink()
        _give(folder, owner, user, (_DIRECTORY, _SHARED_DIRECTORY))
        for name, source in sources.items():
            value = _read(source)
            target = folder / name
            _write(target, value)
            _give(target, owner, user, (_FILE, _SHARED_FILE))
        folders.append(folder)
    for folder in top.iterdir():
        if folder not in folders:
            for path in folder.iterdir():
                path.unlink()
    return folders


def copies(state: Path, name: str) -> list[Path]:
    """Every copy of one secret."""
    return sorted((state / _FOLDER).glob(f"*/{name}"))


def _source(state: Path, entry: str) -> tuple[str, Path]:
    """The name in the container, and the file here."""
    name, _, file = entry.partition(":")
    if certificate := file or _ELSEWHERE.get(name):
        return name, state / "certificates" / certificate
    return name, state / "secrets" / name


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise StackError(f"{path} is missing: `make up` makes it") from error
    except PermissionError as error:
        raise StackError(f"{path} cannot be read: run this as the user that owns it") from error


def _write(path: Path, value: bytes) -> None:
    try:
        if path.read_bytes() == value:
            return
    except FileNotFoundError:
        pass
    write_in_place(path, value)


def _give(path: Path, owner: int, user: User, modes: tuple[int, int]) -> None:
    alone, shared = modes
    if os.geteuid() == 0:
        os.chown(path, owner, user.gid)
        path.chmod(alone if owner == user.uid else shared)
    elif not ownership.is_private(path):
        # Where the engine maps users, its containers read it by a group of theirs.
        path.chmod(alone)
