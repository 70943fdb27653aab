"""A former version of this project: its tree, its own command, and the stack that this starts."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from glasshouse_cli.project import Project

FILE = Path("tests", "data", "previous-version.txt")
# What compose and the command read besides the variables of `.env`.
_OWN = ("GLASSHOUSE_RULES", "GLASSHOUSE_UID", "GLASSHOUSE_GID", "VIRTUAL_ENV")
_SYNC_TIMEOUT_S = 300
# Where its images are missing they are built.
_COMMAND_TIMEOUT_S = 1200


class Missing(Exception):
    """The former version is not in this checkout; the message says why, and what to do.

    shallow: the history is cut off, and can be had.
    """

    def __init__(self, message: str, *, shallow: bool) -> None:
        super().__init__(message)
        self.shallow = shallow


@dataclass(frozen=True, kw_only=True)
class Version:
    """A tree with the command of its own. environment: the stack's name, ports and state folder."""

    root: Path
    command: Path
    environment: Mapping[str, str]

    def run(self, *arguments: str) -> str:
        """Run `glasshouse` with these arguments; return what it wrote to stdout."""
        # Of this process only what is not the stack's: another test's stack may be in it.
        own = {*dotenv_values(self.root / ".env"), *_OWN}
        inherited = {key: value for key, value in os.environ.items() if key not in own}
        ran = subprocess.run(
            [str(self.command), *arguments],
            cwd=self.root,
            env={**inherited, **self.environment},
            capture_output=True,
            text=True,
            timeout=_COMMAND_TIMEOUT_S,
            check=False,
        )
        assert ran.returncode == 0, f"glasshouse {' '.join(arguments)}: {ran.stdout}\n{ran.stderr}"
        return ran.stdout

    def doctor(self) -> list[dict[str, Any]]:
        return json.loads(self.run("doctor", "--json"))


def present(project: Project, environment: Mapping[str, str]) -> Version:
    return Version(
        root=project.root,
        command=Path(sys.executable).parent / "glasshouse",
        environment=environment,
    )


def previous(project: Project, folder: Path, environment: Mapping[str, str]) -> Version:
    """Lay the former version's tree into `folder`, with the packages that it has locked.

    Raises Missing when this checkout does not have its history.
    """
    commit = _commit(project.root)
    git = ["git", "-C", str(project.root)]
    if not _succeeds([*git, "rev-parse", "--git-dir"]):
        raise Missing(f"{project.root} is no clone: it has no former version", shallow=False)
    if not _succeeds([*git, "cat-file", "-e", f"{commit}^{{commit}}"]):
        raise Missing(
            f"the commit {commit[:12]} of {FILE} is not here: `git fetch --unshallow` gets it "
            "(in a workflow: fetch-depth: 0)",
            shallow=True,
        )
    archive = [*git, "archive", "--format=tar", commit]
    packed = subprocess.run(archive, capture_output=True, check=True, timeout=60).stdout
    subprocess.run(["tar", "-x", "-C", str(folder)], input=packed, check=True, timeout=60)
    uv = project.root / ".uv" / "bin" / "uv"
    sync = [str(uv), "sync", "--frozen", "--quiet", "--no-dev", "--package", "glasshouse-cli"]
    own = folder / ".venv"
    subprocess.run(
        sync,
        cwd=folder,
        env={**os.environ, "UV_PROJECT_ENVIRONMENT": str(own), "UV_NO_PROGRESS": "1"},
        check=True,
        timeout=_SYNC_TIMEOUT_S,
    )
    return Version(root=folder, command=own / "bin" / "glasshouse", environment=environment)


def _succeeds(command: Sequence[str]) -> bool:
    try:
        return subprocess.run(command, check=False, capture_output=True, timeout=60).returncode == 0
    except FileNotFoundError:
        return False


def _commit(root: Path) -> str:
    lines = (root / FILE).read_text(encoding="ascii").splitlines()
    [commit] = [line for line in lines if line and not line.startswith("#")]
    return commit
