"""Makes a Debian root file system out of Debian packages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from glasshouse_cli import host
from glasshouse_cli.errors import StackError
from glasshouse_cli.images.recipe import Recipe
from glasshouse_cli.process import run_logged

_BUILD_TIMEOUT_S = 900.0
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def stage(
    recipe: Recipe, work: Path, log: Path, note: Callable[[str], None], architecture: str
) -> dict[str, str]:
    """Make `work`/rootfs.tar. Raises StackError when a tool is missing or it fails."""
    _ensure_tools(recipe.name, log)
    options = recipe.options
    command = ["mmdebstrap", "--variant=minbase", f"--architectures={architecture}"]
    command += [f"--include={','.join(options['packages'])}"]
    command += [f"--dpkgopt=path-exclude={path}" for path in options.get("leave_out", ())]
    # After what it excepts: the last that fits a path counts.
    command += [f"--dpkgopt=path-include={path}" for path in options.get("keep", ())]
    command += [f"--essential-hook={hook}" for hook in options.get("before_packages", ())]
    command += ['--customize-hook=rm -rf "$1"/var/log/*']
    command += [f"--keyring={_KEYRING}", options["suite"], str(work / "rootfs.tar"), *_mirror()]
    code = run_logged(
        command,
        log=log,
        timeout=_BUILD_TIMEOUT_S,
        env={"TMPDIR": str(_scratch(work))},
        on_line=lambda line: note(line.removeprefix("I: ")),
    )
    if code != 0:
        raise StackError(f"{recipe.name}: mmdebstrap failed, see {log}", log=log)
    return {}


def _mirror() -> list[str]:
    # Without one mmdebstrap takes Debian's own, and its security updates.
    named = os.environ.get("GLASSHOUSE_DEBIAN_MIRROR")
    return [named] if named else []


def _scratch(work: Path) -> Path:
    # Other users of the build (mmdebstrap may unshare) must get through to it.
    work.chmod(0o755)
    folder = work / "scratch"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o1777)
    return folder


def _ensure_tools(name: str, log: Path) -> None:
    if shutil.which("mmdebstrap") and _KEYRING.is_file():
        return
    if not host.is_linux():
        raise StackError(
            f"{name} is built on Linux only, not on {host.kind()}: make an image registry reachable"
        )
    wanted = ["mmdebstrap", "debian-archive-keyring"]
    if host.can_install():
        host.install(wanted, log)
        return
    raise StackError(
        f"building {name} needs the packages {' and '.join(wanted)}: "
        f"sudo apt-get install {' '.join(wanted)}"
    )
