"""Where the project is, what `.env` says, and which user the containers run as."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values

from glasshouse_cli.errors import StackError
from glasshouse_cli.files import write_variables

COMPOSE_FILE = "docker-compose.yml"
DISTRIBUTED_FILE = "deploy/compose.distributed.yaml"
# Whoever runs as root outside does not run as root inside.
_UNPRIVILEGED = 10001
_MAX_PORT = 65535


@dataclass(frozen=True, kw_only=True)
class User:
    """The user and group, by number, that every container runs as and secrets belong to."""

    uid: int
    gid: int


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One of the stacks that a checkout can start. They share ports, secrets and images.

    file: its compose file, from the checkout's root. suffix: of the compose project's name, and of
    the targets of make. start_s: how long compose may take to start it, in seconds; ready_s: how
    long its components may then take to answer. memory_bytes: what it needs.
    """

    file: str
    suffix: str
    start_s: float
    ready_s: float
    memory_bytes: int

    def make(self, target: str) -> str:
        """The command for this stack, such as `make logs-distributed`."""
        return f"make {target}{self.suffix}"


ONE_MACHINE = Shape(
    file=COMPOSE_FILE, suffix="", start_s=300.0, ready_s=180.0, memory_bytes=2 * 1024**3
)
# Some 35 containers, which wait for each other.
DISTRIBUTED = Shape(
    file=DISTRIBUTED_FILE,
    suffix="-distributed",
    start_s=1200.0,
    ready_s=600.0,
    memory_bytes=6 * 1024**3,
)
SHAPES = (ONE_MACHINE, DISTRIBUTED)


@dataclass(frozen=True, kw_only=True)
class Project:
    """One checkout. `settings` is `.env`, overridden by the process environment."""

    root: Path
    settings: Mapping[str, str]
    shape: Shape = ONE_MACHINE

    @property
    def compose_file(self) -> Path:
        return self.root / self.shape.file

    @property
    def is_distributed(self) -> bool:
        return self.shape == DISTRIBUTED

    @property
    def state(self) -> Path:
        """The ignored folder of generated files (GLASSHOUSE_STATE)."""
        return (self.root / self.settings.get("GLASSHOUSE_STATE", ".glasshouse")).resolve()

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def images_env(self) -> Path:
        return self.state / "images.env"

    @property
    def run_env(self) -> Path:
        return self.state / "run.env"

    def port(self, variable: str) -> int:
        """The port number in `variable`. Raises StackError when it is none."""
        text = self.settings.get(variable, "")
        if not text.isdecimal() or not 0 < int(text) <= _MAX_PORT:
            raise StackError(f"{variable} in .env must be a port number, not {text!r}")
        return int(text)

    def url(self, variable: str) -> str:
        """The loopback address behind the port in `variable`."""
        return f"http://127.0.0.1:{self.port(variable)}"

    def prepare(self) -> None:
        """Make the state folder and write the run environment for compose.

        Raises StackError when the folder cannot be written, or its path cannot be mounted.
        """
        if ":" in str(self.root) or ":" in str(self.state):
            # Where compose separates the two sides of a mount.
            raise StackError(f"{self.root}: Docker mounts no path with a colon: rename the folder")
        try:
            self.state.mkdir(parents=True, exist_ok=True)
            write_variables(self.run_env, "Written by glasshouse at each start.", run_environment())
        except OSError as error:
            raise StackError(
                f"{self.state} cannot be written ({error.strerror}): make it writable, or set "
                "GLASSHOUSE_STATE to a folder that is"
            ) from error


def load(root: Path | None = None, shape: Shape = ONE_MACHINE) -> Project:
    """Find the project from the current folder upwards, or beside this package.

    shape: which of its stacks. Raises StackError when there is none, or its `.env` is missing.
    """
    root = root.resolve() if root else _find_root()
    env_file = root / ".env"
    if not env_file.is_file():
        raise StackError(f"{env_file} is missing: restore it, `git checkout .env`")
    values = {key: value or "" for key, value in dotenv_values(env_file).items()}
    settings = {key: os.environ.get(key, value) for key, value in values.items()}
    return Project(root=root, settings=settings, shape=shape)


def container_user() -> User:
    """Who containers run as: the invoking user, but never root."""
    if os.geteuid() == 0:
        return User(uid=_UNPRIVILEGED, gid=_UNPRIVILEGED)
    return User(uid=os.geteuid(), gid=os.getegid())


def run_environment() -> dict[str, str]:
    """The variables the compose file wants from whoever runs it."""
    user = container_user()
    return {
        "GLASSHOUSE_UID": str(user.uid),
        "GLASSHOUSE_GID": str(user.gid),
        # Secrets and images are made before compose starts.
        "GLASSHOUSE_SETUP": "volumes",
        "OWN_IMAGES": "never",
    }


def _find_root() -> Path:
    here = Path.cwd()
    for folder in (here, *here.parents, *Path(__file__).resolve().parents):
        if (folder / COMPOSE_FILE).is_file() and (folder / "dev").is_dir():
            return folder
    raise StackError("not inside a Glasshouse checkout: change into its folder first")
