"""Programs that dev/kubernetes pins, compiled once and kept beside the checkout's state."""

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from support.deployed import ROOT

FOLDER: Final = ROOT / "dev" / "kubernetes"
# Kept between runs: .glasshouse is ignored by Git, and Go's own cache holds what is compiled.
KEPT: Final = ROOT / ".glasshouse" / "kubernetes-of-tests"
KUBERNETES: Final = "k8s.io/kubernetes"
OPERATOR: Final = "github.com/prometheus-operator/prometheus-operator"
TOOLS: Final = {
    "helm": "helm.sh/helm/v4/cmd/helm",
    "kubeconform": "github.com/yannh/kubeconform/cmd/kubeconform",
}
SERVERS: Final = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
}
# With nothing in Go's cache, on a machine ten times slower.
_BUILT_WITHIN_S: Final = 7200


def tools() -> dict[str, Path]:
    """Helm and kubeconform."""
    return _built("tools", TOOLS)


def servers() -> dict[str, Path]:
    """etcd and the API server, which knows its version: clients ask for it."""
    return _built("server", SERVERS, _stamp())


def has_servers() -> bool:
    """Whether they are compiled already: it takes some minutes of a processor."""
    return all(program.exists() for program in _places("server", SERVERS, _stamp()).values())


def _stamp() -> str:
    return f"-X k8s.io/component-base/version.gitVersion={_pinned(KUBERNETES)}"


def _pinned(module: str) -> str:
    text = (FOLDER / "server" / "go.mod").read_text(encoding="utf-8")
    [version] = re.findall(rf"^\t{re.escape(module)} (v\S+)", text, re.MULTILINE)
    return version


def sources(module: str, of: str) -> Path:
    """The folder with a module's own files. of: which of dev/kubernetes pins it."""
    _require_go()
    return Path(_module(of, module)["Dir"])


def _require_go() -> None:
    if shutil.which("go") is None:
        pytest.skip(
            "Go is not installed: nothing of Kubernetes can be compiled (go.dev/doc/install)"
        )


def _module(of: str, module: str) -> dict[str, str]:
    # Downloads it, if it is not there yet, and holds it to go.sum.
    found = subprocess.run(
        ["go", "mod", "download", "-json", module],
        cwd=FOLDER / of,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert found.returncode == 0, found.stderr or found.stdout
    return json.loads(found.stdout)


def _places(of: str, packages: dict[str, str], stamp: str) -> dict[str, Path]:
    """Where programs are kept: others of another version stand in another folder."""
    digest = hashlib.sha256(repr((packages, stamp)).encode())
    for name in ("go.mod", "go.sum"):
        digest.update((FOLDER / of / name).read_bytes())
    folder = KEPT / f"{of}-{digest.hexdigest()[:16]}"
    return {name: folder / name for name in packages}


def _built(of: str, packages: dict[str, str], stamp: str = "") -> dict[str, Path]:
    _require_go()
    programs = _places(of, packages, stamp)
    folder = next(iter(programs.values())).parent
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several processes of one run ask at once
        for name, program in programs.items():
            if not program.exists():
                _compile(FOLDER / of, packages[name], program, stamp)
    return programs


def _compile(module: Path, package: str, program: Path, stamp: str) -> None:
    unfinished = program.with_suffix(".unfinished")
    command = ["go", "build", "-mod=readonly", "-trimpath", f"-ldflags=-s -w {stamp}"]
    built = subprocess.run(
        [*command, "-o", str(unfinished), package],
        cwd=module,
        env={**os.environ, "CGO_ENABLED": "0"},
        capture_output=True,
        text=True,
        timeout=_BUILT_WITHIN_S,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    unfinished.rename(program)
