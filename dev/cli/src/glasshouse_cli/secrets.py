"""Generates the secrets of one machine. They are made once and never overwritten."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import tempfile
from pathlib import Path

from glasshouse_cli import operator, ownership
from glasshouse_cli.errors import StackError
from glasshouse_cli.project import Project, User, container_user

NAMES = (
    "postgres_password",
    "database_owner_password",
    "database_password",
    "internal_token",
    "hmac_key",
    "grafana_password",
    "provider_secret",
    "data_key",
    "operator_password",
    "otlp_token",
    "api_key",
    # After the key that it holds the digest of.
    "api_callers",
)
_BYTES = 32
# Who calls this machine's API: README's commands, the demo, the tests. He may do everything.
CALLER = "local"
_SCOPES = (
    "payments:write",
    "payments:read",
    "automation:write",
    "automation:read",
    "notifications:write",
    "notifications:read",
    "contacts:write",
)
# Requests a second, kept up and at once: more than one machine serves.
_RATE = 1000
_BURST = 2000


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
        made = {name: _one(folder / name, user) for name in NAMES}
        write_netrc(state, user)
        return made
    except PermissionError as error:
        raise StackError(
            f"{folder} belongs to another user: run as that user, or `glasshouse clean` as root"
        ) from error


def make(state: Path, name: str, text: str, user: User | None = None) -> Path:
    """Make a secret of this content where there is none of the name, and return its file.

    `ensure` has made the folder.
    """
    path = state / "secrets" / name
    if not path.exists():
        _create(path, text)
    _give(path, user or container_user())
    return path


def write_netrc(state: Path, user: User | None = None) -> Path:
    """Write the operator's password as curl reads it (`--netrc-file`), and return the file."""
    path = state / "secrets" / operator.NETRC
    text = operator.netrc(operator.password(state))
    if not path.exists() or path.read_text(encoding="ascii") != text:
        path.unlink(missing_ok=True)
        _create(path, text)
    _give(path, user or container_user())
    return path


def has(state: Path, name: str) -> bool:
    """Whether the secret was made before."""
    return (state / "secrets" / name).exists()


def sender(checkout: Project) -> dict[str, str]:
    """The headers of somebody who may send over OTLP: the current token, none before `make up`."""
    path = checkout.state / "secrets" / "otlp_token"
    try:
        tokens = path.read_text(encoding="utf-8").split()
    except OSError:
        return {}
    return {"Authorization": f"Bearer {tokens[0]}"} if tokens else {}


def _one(path: Path, user: User) -> Path:
    if not path.exists():
        is_callers = path.name == "api_callers"
        _create(path, _callers(path.with_name("api_key")) if is_callers else generate())
    if path.stat().st_size == 0:
        raise StackError(f"{path} is empty: delete it, and the volume that knows its old value")
    _give(path, user)
    return path


def _give(path: Path, user: User) -> None:
    # Where the engine maps users, its containers read it by a group of theirs.
    if not ownership.is_private(path):
        path.chmod(0o600)
    if os.geteuid() == 0:
        os.chown(path, user.uid, user.gid)


def generate() -> str:
    """Return a new random value."""
    # The letter keeps YAML from reading a value as a number.
    return "s" + secrets.token_hex(_BYTES)


def _callers(key: Path) -> str:
    """The file of the API's callers: one, who has `key`."""
    digest = hashlib.sha256(key.read_text(encoding="ascii").strip().encode()).hexdigest()
    caller = {
        "name": CALLER,
        "keySha256": [digest],
        "scopes": _SCOPES,
        "trusted": True,
        "rate": _RATE,
        "burst": _BURST,
    }
    return json.dumps([caller], indent=1)


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
