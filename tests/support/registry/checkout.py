"""A clean clone of this checkout, and what somebody has on the path who has only what is said."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from support.registry.daemon import Engine

_CLONED_WITHIN_S = 120
# Where Debian has its own programs, its Python among them.
_SYSTEM = (Path("/usr/bin"), Path("/usr/sbin"), Path("/bin"), Path("/sbin"))
_GO = ("go", "gofmt")


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """A clone, the engine that it is to use, and the variables that it is called with."""

    root: Path
    engine: Engine
    variables: Mapping[str, str]

    def run(
        self, *command: str, within: float, network: bool = False, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the clone. network: with this machine's, not that of the engine."""
        line = list(command) if network else self.engine.namespace.on_network(command)
        environment = {**self.variables, **variables}
        # The shell's own path would find the program, and its children would not.
        found = shutil.which(line[0], path=environment["PATH"]) or shutil.which(line[0])
        assert found is not None, line[0]
        return subprocess.run(
            [found, *line[1:]],
            cwd=self.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=within,
            check=False,
        )

    def configure(self, values: Mapping[str, str]) -> None:
        """Set variables in the clone's `.env`."""
        file = self.root / ".env"
        lines = file.read_text(encoding="utf-8").splitlines()
        known = {line.partition("=")[0] for line in lines}
        assert values.keys() <= known, values.keys() - known
        for at, line in enumerate(lines):
            name = line.partition("=")[0]
            if name in values:
                lines[at] = f"{name}={values[name]}"
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def secret(self, name: str) -> str:
        return (self.root / ".glasshouse" / "secrets" / name).read_text(encoding="utf-8").split()[0]


def cloned(
    origin: Path, place: Path, engine: Engine, programs: Sequence[str] | None = None
) -> Checkout:
    """Clone what is committed in `origin` into `place`.

    programs: the only ones on the path besides Docker's client; by default all of the system's own
    but Go.
    """
    place.mkdir()
    root = place / "checkout"
    # The checkout may belong to somebody else than to root, who runs this.
    trust = ["-c", "safe.directory=*"]
    subprocess.run(
        ["git", *trust, "clone", "--quiet", str(origin), str(root)],
        check=True,
        timeout=_CLONED_WITHIN_S,
    )
    variables = {
        "PATH": str(_path(place / "bin", programs)),
        "HOME": str(place),
        "LANG": "C.UTF-8",
        "DOCKER_HOST": engine.address,
        "DOCKER_CONFIG": str(_client(place / "docker")),
    }
    # How this machine reaches the registries of packages, for what installs from them.
    kept = ("SSL_CERT_FILE", "PIP_CERT", "PIP_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX")
    variables |= {name: os.environ[name] for name in kept if name in os.environ}
    return Checkout(root=root, engine=engine, variables=variables)


def _path(folder: Path, programs: Sequence[str] | None) -> Path:
    folder.mkdir()
    if programs is None:
        for system in _SYSTEM:
            for program in system.iterdir():
                link = folder / program.name
                if program.name not in _GO and not link.is_symlink():
                    link.symlink_to(program)
    for name in ("docker", *(programs or ())):
        found = shutil.which(name)
        assert found is not None, name
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(found)
    return folder


def _client(folder: Path) -> Path:
    """Return the settings of Docker's client: its plugins, nobody's passwords."""
    plugins = folder / "cli-plugins"
    plugins.mkdir(parents=True)
    asked = subprocess.run(
        ["docker", "info", "--format", "{{json .ClientInfo.Plugins}}"],
        capture_output=True,
        check=True,
        timeout=60,
    )
    for plugin in json.loads(asked.stdout):
        (plugins / Path(plugin["Path"]).name).symlink_to(plugin["Path"])
    return folder
