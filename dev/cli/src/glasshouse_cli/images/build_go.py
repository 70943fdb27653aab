"""Compiles Go programs on the host; the build cache makes an interrupted build resume."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from glasshouse_cli.errors import StackError
from glasshouse_cli.images.recipe import Recipe
from glasshouse_cli.process import run, run_logged

_BUILD_TIMEOUT_S = 3600.0
# Where Debian has them, Fedora, macOS. In the image they are where Debian has them.
_CERTIFICATES = (
    Path("/etc/ssl/certs/ca-certificates.crt"),
    Path("/etc/pki/tls/certs/ca-bundle.crt"),
    Path("/etc/ssl/cert.pem"),
)
_USER = 10001


def stage(
    recipe: Recipe, work: Path, log: Path, note: Callable[[str], None], architecture: str
) -> dict[str, str]:
    """Make `work`/rootfs: the programs, certificates, an unprivileged user, /tmp."""
    root = work / "rootfs"
    # Of the engine's machine, which on macOS is another than ours.
    target = {"GOOS": "linux", "GOARCH": architecture}
    compile_programs(recipe, root / "usr" / "bin", work, log, note, target)
    etc = root / "etc"
    etc.mkdir()
    (etc / "passwd").write_text(f"nonroot:x:{_USER}:{_USER}::/tmp:/sbin/nologin\n")
    (etc / "group").write_text(f"nonroot:x:{_USER}:\n")
    if found := next((file for file in _CERTIFICATES if file.is_file()), None):
        certificates = root / _CERTIFICATES[0].relative_to("/")
        certificates.parent.mkdir(parents=True)
        shutil.copyfile(found, certificates)
    (root / "tmp").mkdir()
    (root / "tmp").chmod(0o1777)
    return {}


def compile_programs(
    recipe: Recipe,
    target: Path,
    work: Path,
    log: Path,
    note: Callable[[str], None],
    system: Mapping[str, str] | None = None,
) -> None:
    """Compile each program of the recipe into the folder `target`.

    system: GOOS and GOARCH of the machine that runs them, if it is another than this one.
    Raises StackError when Go is missing or too old, or a program does not compile.
    """
    options = recipe.options
    module = _module(recipe)
    _check_toolchain(recipe, module)
    target.mkdir(parents=True)
    # The options change nothing but what is linked, so packages come from the cache.
    ldflags = "-s -w"
    if "stamp" in options:
        ldflags += f" -X {options['stamp']}={recipe.version}"
    compiled = 0

    def count(line: str) -> None:
        nonlocal compiled
        compiled += not line.startswith("go: ")
        note(f"{compiled} packages compiled")

    for program, package in options["programs"].items():
        note(f"compiling {program}")
        command = ["go", "build", "-v", "-mod=readonly", "-trimpath", "-buildvcs=false"]
        command += [f"-tags={','.join(options.get('tags', ()))}", f"-ldflags={ldflags}"]
        command += [*_overlay(recipe, module, work), "-o", str(target / program), package]
        code = run_logged(
            command,
            log=log,
            timeout=_BUILD_TIMEOUT_S,
            cwd=module,
            env={"CGO_ENABLED": "0", **(system or {})},
            on_line=count,
        )
        if code != 0:
            raise StackError(f"{recipe.name}: {program} does not compile, see {log}", log=log)


def _overlay(recipe: Recipe, module: Path, work: Path) -> list[str]:
    """Lay files of ours over a dependency: the compiler takes a patched copy in its place."""
    overlay = recipe.options.get("overlay")
    if overlay is None:
        return []
    name = overlay["module"]
    copy, modfile = work / "overlay", work / "go.mod"
    if not modfile.exists():
        found = run(["go", "mod", "download", "-json", name], timeout=600, cwd=module)
        if not found.ok:
            raise StackError(f"{recipe.name}: cannot download {name}: {found.last_line}")
        shutil.copytree(json.loads(found.out)["Dir"], copy, copy_function=shutil.copyfile)
        for folder, _, _ in os.walk(copy):  # the module cache is read-only
            Path(folder).chmod(0o755)
        shutil.copytree(recipe.folder / overlay["files"], copy, dirs_exist_ok=True)
        text = (module / "go.mod").read_text(encoding="utf-8")
        # In quotes: its folder may have blanks in its name.
        modfile.write_text(f"{text}\nreplace {name} => {json.dumps(str(copy))}\n", encoding="utf-8")
        shutil.copyfile(module / "go.sum", work / "go.sum")
    return [f"-modfile={modfile}"]


def has_toolchain(recipe: Recipe) -> bool:
    """Whether this machine's Go compiles the recipe's programs."""
    try:
        _check_toolchain(recipe, _module(recipe))
    except StackError:
        return False
    return True


def _module(recipe: Recipe) -> Path:
    options = recipe.options
    return recipe.root / options["module"] if "module" in options else recipe.folder


def _check_toolchain(recipe: Recipe, module: Path) -> None:
    match = re.search(r"^go (\S+)$", (module / "go.mod").read_text(), re.MULTILINE)
    wanted = match[1] if match else "1.26"
    # Asked inside the module: Go may fetch and answer with a newer toolchain by itself.
    answer = run(["go", "version"], timeout=300, cwd=module)
    found = re.search(r"go(\d[\w.]*)", answer.out)
    if answer.ok and found and _version(found[1]) >= _version(wanted):
        return
    if answer.code == 127:
        seen = "and there is none"
    else:
        seen = f"not {found[1] if found else answer.last_line}"
    instead = ", or make an image registry reachable" if recipe.upstream else ""
    raise StackError(
        f"building {recipe.name} needs Go {wanted} or newer, {seen}: "
        f"install it from https://go.dev/dl/{instead}"
    )


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])
