"""What the one-shot container `setup` does before the others start.

Plain `docker compose up` needs nothing of this machine but Docker: what `make up` makes here is
made there, by the same code, as root of the container, who may give files away.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from glasshouse_cli import alerting, certificates, compose, handing, profiles, runbooks, secrets
from glasshouse_cli.errors import StackError
from glasshouse_cli.project import Project, User

# GLASSHOUSE_SETUP: `make up` has made everything, and leaves the volumes.
ALL: Final = "all"
VOLUMES: Final = "volumes"
_IDENTITY: Final = ["0", "0", str(2**32 - 1)]

Say = Callable[[str], None]


def setup(checkout: Project, volumes: Path, environment: Mapping[str, str], say: Say) -> None:
    """Make what is missing in the state folder, and give the volumes to the containers' user.

    volumes: the folder in which they are mounted. environment: GLASSHOUSE_UID, GLASSHOUSE_GID and
    GLASSHOUSE_SETUP. Raises StackError with one line when something cannot be made.
    """
    user = User(
        uid=_number(environment, "GLASSHOUSE_UID"), gid=_number(environment, "GLASSHOUSE_GID")
    )
    part = environment.get("GLASSHOUSE_SETUP", ALL)
    if part not in (ALL, VOLUMES):
        raise StackError(f"GLASSHOUSE_SETUP must be {ALL} or {VOLUMES}, not {part!r}")
    if part == ALL:
        _check_readable(checkout.root, user)
        if certificates.asked_for(checkout):
            raise StackError(
                "OTLP_TLS=mutual: only `make up` starts with TLS, and makes what it needs"
            )
        owner = _owner(checkout.root / ".env", user)
        _take(checkout.state, owner)
        secrets.ensure(checkout.state, owner)
        handing.hand_out(checkout.state, compose.secrets(checkout), user)
        alerting.ensure(_given(checkout), user=user)
        runbooks.write(checkout)
        profiles.write_rules(checkout)
        _take(checkout.state, owner)
        say("secrets, runbooks and Alertmanager's configuration are made")
    for volume in sorted(volumes.iterdir()):
        if _give(volume, user):
            say(f"{volume.name}: given to user {user.uid}")


def _check_readable(root: Path, user: User) -> None:
    """Say here that the others cannot read the checkout: they would only start again and again."""
    for path in (root / ".env", root / "docker-compose.yml", root / "alertmanager"):
        found = path.stat()
        # A virtual machine shows every file as the reader's own, here root's.
        if found.st_uid not in (0, user.uid) and not found.st_mode & stat.S_IROTH:
            raise StackError(
                f"containers run as user {user.uid}, who may not read {path.name} of the checkout: "
                "`chmod -R o+rX .` there, or `make up`, which sees to it"
            )


def _given(checkout: Project) -> Project:
    """The checkout without the settings that are not set: compose mounts /dev/null for such."""
    unset = {
        setting: ""
        for setting, _ in alerting.CREDENTIALS.values()
        if not Path(checkout.settings.get(setting, "")).is_file()
    }
    return replace(checkout, settings={**checkout.settings, **unset})


def _number(environment: Mapping[str, str], name: str) -> int:
    text = environment.get(name, "")
    if not text.isdecimal():
        raise StackError(f"{name} must be a number, not {text!r}")
    return int(text)


def _owner(file: Path, user: User) -> User:
    """Who is to read the secrets on this machine: whoever owns the checkout."""
    found = file.stat()
    if found.st_uid == 0 and not _maps_users():
        return user  # root has no need of them, and no container runs as root
    return User(uid=found.st_uid, gid=found.st_gid)


def _maps_users() -> bool:
    """Whether root here is somebody else on this machine, as where the engine is rootless."""
    return Path("/proc/self/uid_map").read_text(encoding="ascii").split() != _IDENTITY


def _take(state: Path, owner: User) -> None:
    """Let the owner change all that is no copy for a container: `make up` may follow."""
    rendered = [state / name for name in ("alertmanager", "profiles", "runbooks")]
    # Folders that the engine made, because they were to be mounted, belong to root.
    for folder in (state, state / "secrets", *rendered):
        folder.mkdir(exist_ok=True)
        os.chown(folder, owner.uid, owner.gid)
    for path in (path for folder in rendered for path in folder.rglob("*")):
        if path.parent.name != alerting.CREDENTIALS_FOLDER:
            os.chown(path, owner.uid, owner.gid)


def _give(volume: Path, user: User) -> bool:
    """Give the volume to `user`, with all that is in it; whether it was another's."""
    found = volume.stat()
    if (found.st_uid, found.st_gid) == (user.uid, user.gid):
        return False
    for folder, folders, files in os.walk(volume):
        for name in (*folders, *files):
            os.chown(Path(folder, name), user.uid, user.gid, follow_symlinks=False)
    # Last: a run that was interrupted begins anew.
    os.chown(volume, user.uid, user.gid)
    return True
