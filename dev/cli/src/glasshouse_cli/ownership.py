"""Makes sure that the containers can read the files that they get from this machine.

Docker as root knows users by the same numbers as this machine. An engine that maps users does not:
to a container the owner of our files is nobody, or root. SELinux hides them besides, and a virtual
machine shows only the folders that it was given. So where one of these may be, a container says
what it sees.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

from glasshouse_cli import host
from glasshouse_cli.engine.endpoint import Endpoint
from glasshouse_cli.engine.facts import Facts
from glasshouse_cli.errors import StackError
from glasshouse_cli.process import run
from glasshouse_cli.project import Project, User

_TIMEOUT_S = 120.0
# Of a file and a folder: for its owner alone, and for a group, too.
_MODES = {False: (0o600, 0o640), True: (0o700, 0o750)}
# Prints each of its arguments, a folder's number and a file in it, that it cannot read, and why.
_LOOK = (
    'for f; do if [ ! -x "/given/${f%%/*}" ]; then echo "$f denied"; '
    'elif [ ! -f "/given/$f" ]; then echo "$f missing"; '
    'elif [ ! -r "/given/$f" ]; then echo "$f denied"; fi; done; echo looked'
)


def let_all_read(paths: Iterable[Path]) -> None:
    """Add what is missing for everybody to read files and enter folders, below each path.

    For what is no secret, under a umask such as 077. Raises StackError when that is not allowed.
    """
    for top in paths:
        for path in (top, *(top.rglob("*") if top.is_dir() else ())):
            if not path.is_symlink() and path.exists():
                _let_read(path, top)


def let_enter(folder: Path) -> None:
    """Let everybody list a folder, and change nothing of what is in it."""
    _let_read(folder, folder)


def _let_read(path: Path, top: Path) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    # A program stays one.
    wanted = mode | (0o555 if path.is_dir() or mode & 0o100 else 0o444)
    if wanted == mode:
        return
    try:
        path.chmod(wanted)
    except OSError as error:
        raise StackError(
            f"{path} cannot be read by the containers' user: `chmod -R a+rX {top}`"
        ) from error


def settings_files(checkout: Project, sources: Sequence[str], facts: Facts) -> None:
    """Let the containers read the checkout's files, where their user is not the owner's.

    sources: what the compose file mounts, relative to the checkout.
    """
    if host.is_root() or facts.rootless or facts.remaps_users:
        let_all_read(checkout.root / source for source in sources)


def secret_folders(
    paths: Sequence[Path], user: User, facts: Facts, where: Endpoint, image: str
) -> None:
    """Let the containers, and nobody else, read the files in these folders.

    image: one with a shell and `chgrp`. Raises StackError when they cannot be read.
    """
    if facts.is_here and not (facts.rootless or facts.remaps_users or facts.selinux):
        return
    if host.is_root() and facts.rootless:
        raise StackError(
            "the engine belongs to another user (it is rootless): run this as that user, not as "
            "root, or unset DOCKER_HOST"
        )
    faults = _look(paths, user, image)
    if "denied" in faults.values():
        _give(paths, user, facts, image)
        faults = _look(paths, user, image)
    for path, fault in faults.items():
        if fault == "missing" and where.is_remote:
            raise StackError(
                f"the engine at {where.address} is on another machine, without this checkout: run "
                f"this there, or unset {where.setting.partition('=')[0]}"
            )
        if fault == "missing":
            raise StackError(
                f"the engine's machine does not see {path.parent}: share that folder with it "
                "(docs/hosts.md), or move the checkout below your home folder"
            )
        raise StackError(
            f"containers cannot read {path} as user {user.uid}: the engine maps users in a way "
            "that is not known here (docs/hosts.md)"
        )


def is_private(path: Path) -> bool:
    """Whether only its owner may use the file or folder, and containers by a group of theirs."""
    found = path.stat()
    mode = stat.S_IMODE(found.st_mode)
    alone, shared = _MODES[stat.S_ISDIR(found.st_mode)]
    if mode == alone:
        return True
    return mode == shared and found.st_gid not in {os.getegid(), *os.getgroups()}


def _look(folders: Sequence[Path], user: User, image: str) -> dict[Path, str]:
    """The files that a container as `user` cannot read: "missing" or "denied" by path."""
    files = {
        f"{number}/{path.name}": path
        for number, folder in enumerate(folders)
        for path in sorted(folder.iterdir())
    }
    options = (f"--user={user.uid}:{user.gid}", "--entrypoint=sh")
    answer = run(
        [*_container(folders), *options, image, "-c", _LOOK, "look", *files], timeout=_TIMEOUT_S
    )
    if "looked" not in answer.out.split():
        raise StackError(_refused(folders, answer.last_line))
    found = re.findall(r"^(\d+/\S+) (missing|denied)$", answer.out, re.MULTILINE)
    return {files[name]: fault for name, fault in found}


def _give(paths: Sequence[Path], user: User, facts: Facts, image: str) -> None:
    """Give all to the group of the containers; their owner stays, and can change them."""
    options = ["--user=0:0", "--cap-add=CHOWN"]
    gid = user.gid
    if facts.remaps_users and not facts.rootless:
        # The engine's own root may not touch our files, this machine's may.
        gid = _mapped(user.gid, image)
        options += ["--userns=host", "--cap-add=DAC_OVERRIDE"]
    targets = [f"/given/{number}" for number in range(len(paths))]
    command = [*_container(paths, access="rw"), *options, "--entrypoint=chgrp", image]
    answer = run([*command, "-R", str(gid), *targets], timeout=_TIMEOUT_S)
    if not answer.ok:
        raise StackError(f"the secrets cannot be given to the containers: {answer.last_line}")
    for folder in paths:
        for path in (folder, *folder.iterdir()):
            path.chmod(_MODES[path.is_dir()][1])


def _mapped(gid: int, image: str) -> int:
    """The number that this machine has for the group `gid` of a container."""
    command = [*_container(()), "--entrypoint=cat", image, "/proc/self/gid_map"]
    answer = run(command, timeout=_TIMEOUT_S)
    for line in answer.out.splitlines():
        inside, outside, count = map(int, line.split())
        if inside <= gid < inside + count:
            return outside + gid - inside
    raise StackError(
        f"the engine has no group {gid} for containers: give it more in /etc/subgid, then "
        "start it again"
    )


def _container(paths: Sequence[Path], *, access: str = "ro") -> list[str]:
    line = ["docker", "run", "--rm", "--network=none", "--read-only", "--cap-drop=ALL"]
    line += ["--log-driver=none", "--label=dev.glasshouse.part=stack"]
    # One by one, as compose mounts them, with SELinux's label.
    line += [f"--volume={path}:/given/{number}:{access},z" for number, path in enumerate(paths)]
    return line


def _refused(paths: Sequence[Path], fault: str) -> str:
    if "mounts denied" in fault.lower() or "not shared" in fault.lower():
        folder = paths[0]
        return (
            f"the engine may not use {folder}: share it (Docker Desktop: Settings > Resources > "
            "File sharing), or move the checkout below your home folder"
        )
    return f"the secrets cannot be shown to a container: {fault}"
