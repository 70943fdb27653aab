"""Where the dead letters are, and how a keeper is started there."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import yaml

from glasshouse_cli import compose
from glasshouse_cli.errors import StackError
from glasshouse_cli.letters import keeper
from glasshouse_cli.letters.letter import Signal
from glasshouse_cli.process import run
from glasshouse_cli.project import Project

CONFIG = "collector/config.yaml"
_ASK_TIMEOUT_S = 30.0
_COLLECTOR = "collector"
# Services whose image has Python; the Collector's has not even a shell.
_WITH_PYTHON = ("api", "worker", "migrate", "volumes")

Command = Literal["look", "take"]


@dataclass(frozen=True, kw_only=True)
class Place:
    """A folder of dead letters: `look` and `take` are command lines up to the folder."""

    look: Sequence[str]
    take: Sequence[str]
    folder: str

    def command(self, command: Command, signals: Sequence[Signal]) -> list[str]:
        """The command line of a keeper there."""
        start = self.look if command == "look" else self.take
        return [*start, command, self.folder, *signals]


def in_folder(folder: Path) -> Place:
    """A folder on this machine, for who runs the Collector alone.

    Raises StackError when there is none.
    """
    if not folder.is_dir():
        raise StackError(f"there is no folder {folder}")
    start = [sys.executable, "-I", str(Path(keeper.__file__).resolve())]
    return Place(look=start, take=start, folder=str(folder.resolve()))


def in_stack(checkout: Project, *, running: bool) -> Place:
    """The volume of the stack's Collector.

    running: the Collector has to run, not only to have a container.
    Raises StackError in one line when there is none, or the engine does not answer.
    """
    containers = _containers(compose.project_name(checkout))
    collector = next((one for one in containers if _service(one) == _COLLECTOR), None)
    if collector is None:
        raise StackError("the Collector has no container: `make up` starts it")
    state = collector["State"]["Status"]
    if running and state != "running":
        raise StackError(f"the Collector does not run (it is {state}): `make up` starts it")
    image = next((one["Image"] for one in containers if _service(one) in _WITH_PYTHON), None)
    if image is None:
        raise StackError("there is no container of the backend beside the Collector's: `make up`")
    folder = _folder(checkout.root / CONFIG)
    volume = _volume(collector, folder)
    user = collector["Config"]["User"]
    return Place(
        look=_container(image, user, f"{volume},readonly"),
        take=_container(image, user, volume),
        folder=str(folder),
    )


def _container(image: str, user: str, volume: str) -> list[str]:
    """The start of a container that sees nothing but the volume, with the keeper in it.

    `docker cp` could copy the files out, but neither rename them nor take a line away, and the
    Collector's own image has nothing to do it with. So it is a container of the backend's image,
    for one command. Only its input and output connect it with us: what is sent is sent from
    here, so it needs no network. The program comes as an argument: a file to mount would have to
    be on the engine's machine. Its output has the records: the engine is not to log it.
    """
    source = Path(keeper.__file__).read_text(encoding="utf-8")
    isolation = ["--network=none", "--read-only", "--cap-drop=ALL"]
    isolation += ["--security-opt=no-new-privileges:true", "--memory=384m", "--log-driver=none"]
    return [
        *("docker", "run", "--rm", "--interactive", "--init", "--label=dev.glasshouse.part=stack"),
        *isolation,
        f"--user={user}",
        f"--mount={volume}",
        *("--entrypoint=python3", image, "-I", "-c", source),
    ]


def _volume(collector: dict[str, Any], folder: PurePosixPath) -> str:
    """What to mount so that `folder` is there, as `docker run --mount` wants it."""
    for mount in collector["Mounts"]:
        if folder.is_relative_to(mount["Destination"]):
            source = mount.get("Name") or mount["Source"]
            return f"type={mount['Type']},source={source},target={mount['Destination']}"
    raise StackError(f"{CONFIG}: dead_letter.directory, {folder}, is on no volume of the Collector")


def _folder(config: Path) -> PurePosixPath:
    """`directory` of the extension dead_letter."""
    try:
        document = yaml.safe_load(config.read_text(encoding="utf-8"))
        extensions: dict[str, Any] = document["extensions"]
        name = next(name for name in extensions if name.partition("/")[0] == "dead_letter")
        return PurePosixPath(extensions[name]["directory"])
    except (OSError, yaml.YAMLError) as error:
        raise StackError(f"{CONFIG} cannot be read: {str(error).splitlines()[0]}") from error
    except (TypeError, KeyError, StopIteration):
        raise StackError(f"{CONFIG}: there is no extension dead_letter with a directory") from None


def _containers(name: str) -> list[dict[str, Any]]:
    label = f"label=com.docker.compose.project={name}"
    listed = run(["docker", "ps", "--all", "--quiet", "--filter", label], timeout=_ASK_TIMEOUT_S)
    if not listed.ok:
        raise StackError(f"the Docker engine does not answer: {listed.last_line}")
    ids = listed.out.split()
    if not ids:
        return []
    # A container that went away meanwhile is left out of the answer.
    answer = run(["docker", "container", "inspect", *ids], timeout=_ASK_TIMEOUT_S)
    return json.loads(answer.out or "[]")


def _service(container: dict[str, Any]) -> str:
    return container["Config"]["Labels"].get("com.docker.compose.service", "")
