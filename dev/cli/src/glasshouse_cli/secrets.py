"""Generates the secrets of one machine. They are made once and never overwritten."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path

from glasshouse_cli.errors import StackError
from glasshouse_cli.project import User, container_user

NAMES = (
    "postgres_password",
    "database_owner_password",
    "database_password",
    "internal_token",
    "hmac_key",
    "grafana_password",
    "provider_secret",
    "data_key",
)
_BYTES = 32


def ensure(state: Path, user: User | None = None) -> dict[str, Path]:
    """Make each missing secret under `state`/secrets and return all by name.

    Files are 0600 in a 0700 folder and belong to `user`, who reads them in the containers.
    Raises StackError when one cannot be made, is empty, or belongs to somebody else.
    """
    user = user or container_user()
    folder = state / "secrets"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        return {name: _one(folder / name, user) for name in NAMES}
    except PermissionError as error:
        raise StackError(
            f"{folder} belongs to another user: run as that user, or `glasshouse clean` as root"
        ) from error


def has(state: Path, name: str) -> bool:
    """Whether the secret was made before."""
    return (state / "secrets" / name).exists()


def _one(path: Path, user: User) -> Path:
    if not path.exists():
        _create(path, _value())
    if path.stat().st_size == 0:
        raise StackError(f"{path} is empty: delete it, and the volume that knows its old value")
    path.chmod(0o600)
    if os.geteuid() == 0:
        os.chown(path, user.uid, user.gid)
    return path


def _value() -> str:
    # The letter keeps YAML from reading a value as a number.
    return "s" + secrets.token_hex(_BYTES)


def _create(path: Path, value: str) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(value)
            file.flush()
            os.fsync(file.fileno())
        # A link fails where the name exists: a second run at the same time cannot overwrite.
        os.link(name, path)
    except FileExistsError:
        pass
    finally:
        Path(name).unlink(missing_ok=True)
