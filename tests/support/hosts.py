"""Hosts that are not here: their `docker`, their system's name, no /proc, no apt.

The fake `docker` answers as the real client does for that engine: in the same JSON, with the same
words on stderr and the same exit codes. It writes each call down.
"""

import json
import os
import platform
import socket
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import Any

import pytest

from glasshouse_cli import host

ROOT = Path(__file__).parents[2]
GIB = 1024**3
DOWN = "Cannot connect to the Docker daemon at {address}. Is the docker daemon running?"

# In sh, which starts in a hundredth of the time that Python takes.
_CLIENT = """#!/bin/sh
echo "$*" >>{calls}
case "$*" in
{answers}
esac
echo "fake docker: no answer to $*" >&2
exit 1
"""
_ANSWER = "*{has}*) printf %s {out}; printf %s {err} >&2; exit {code};;"


@dataclass(frozen=True, kw_only=True)
class Engine:
    """What one kind of engine says of itself, and where it is."""

    address: str
    context: str = "default"
    version: str = "28.3.2"
    operating_system: str = "Ubuntu 24.04.2 LTS"
    platform: str = "Docker Engine - Community"
    components: tuple[str, ...] = ("Engine", "containerd", "runc", "docker-init")
    name: str = "machine"
    architecture: str = "x86_64"
    memory: int = 8 * GIB
    root: str = "/var/lib/docker"
    security: tuple[str, ...] = ("name=apparmor", "name=seccomp,profile=builtin", "name=cgroupns")
    limits_processor: bool = True
    proxy: str = ""

    @property
    def info(self) -> dict[str, Any]:
        """The part of `docker info --format '{{json .}}'` that differs."""
        return {
            "ServerVersion": self.version,
            "Name": self.name,
            "OperatingSystem": self.operating_system,
            "OSType": "linux",
            "Architecture": self.architecture,
            "MemTotal": self.memory,
            "NCPU": 4,
            "DockerRootDir": self.root,
            "SecurityOptions": list(self.security),
            "CpuCfsQuota": self.limits_processor,
            "HttpProxy": self.proxy,
            "HttpsProxy": self.proxy,
            "NoProxy": "",
        }

    @property
    def versions(self) -> dict[str, Any]:
        """`docker version --format '{{json .Server}}'`."""
        return {
            "Platform": {"Name": self.platform},
            "Version": self.version,
            "ApiVersion": "1.51",
            "MinAPIVersion": "1.24",
            "Os": "linux",
            "Arch": "arm64" if self.architecture in ("aarch64", "arm64") else "amd64",
            "Components": [{"Name": name, "Version": self.version} for name in self.components],
        }

    @property
    def contexts(self) -> list[dict[str, Any]]:
        """`docker context inspect`."""
        endpoint = {"Host": self.address, "SkipTLSVerify": False}
        return [{"Name": self.context, "Metadata": {}, "Endpoints": {"docker": endpoint}}]


@dataclass
class Host:
    """A machine of one kind, made of this one. Files of its `docker` are in `programs`."""

    programs: Path
    engine: Engine
    answers: list[str] = field(default_factory=list[str])

    def answer(self, has: str, out: str = "", *, err: str = "", code: int = 0) -> None:
        """Answer a call whose arguments hold `has`; what was said last counts first."""
        texts = {"has": quote(has), "out": quote(out), "err": quote(err)}
        self.answers.insert(0, _ANSWER.format(code=code, **texts))
        client = self.programs / "docker"
        calls = quote(str(self.programs / "calls"))
        client.write_text(_CLIENT.format(calls=calls, answers="\n".join(self.answers)))
        client.chmod(0o755)

    def runs(self) -> None:
        """The engine answers."""
        self.answer("version --format {{json .Server}}", json.dumps(self.engine.versions))
        self.answer("info --format", json.dumps(self.engine.info))

    def fails(self, fault: str) -> None:
        """The client cannot get through to the engine, and says so."""
        self.answer("version --format {{json .Server}}", "null\n", err=f"{fault}\n", code=1)
        self.answer("info --format", json.dumps({"ServerVersion": ""}), err=f"{fault}\n", code=1)

    def stopped(self) -> None:
        """The engine does not run."""
        self.fails(DOWN.format(address=self.engine.address))

    @property
    def calls(self) -> list[str]:
        """The arguments of each call so far."""
        file = self.programs / "calls"
        return file.read_text().splitlines() if file.exists() else []

    def program(self, name: str, script: str) -> None:
        """Another program of this host, in sh."""
        file = self.programs / name
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)


def make(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    engine: Engine,
    *,
    system: str = "Linux",
    release: str = "6.8.0-60-generic",
    root: bool = False,
    docker: bool = True,
    systemd: bool = False,
) -> Host:
    """Turn this process's machine into one of that kind, for one test."""
    programs = folder / "programs"
    programs.mkdir(parents=True)
    made = Host(programs=programs, engine=engine)
    if docker:
        made.answer("--version", f"Docker version {engine.version}, build 38b7060\n")
        made.answer("context inspect", json.dumps(engine.contexts))
        made.answer("compose version --short", "2.40.3\n")
        made.answer("ps --filter")
        made.answer("ps --all --filter")
        made.answer("ps --all --quiet")
        made.runs()
    monkeypatch.setenv("PATH", str(programs))
    for variable in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "COMPOSE_PROJECT_NAME"):
        monkeypatch.delenv(variable, raising=False)
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.lower(), raising=False)
    monkeypatch.setenv("HOME", str(folder / "home"))
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "release", lambda: release)
    monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000)
    absent = folder / "absent"
    monkeypatch.setattr(host, "_DEBIAN", absent)
    monkeypatch.setattr(host, "_SYSTEMD", folder if systemd else absent)
    if system != "Linux":
        monkeypatch.setattr(host, "_MEMORY", absent)
    return made


LINUX = Engine(address="unix:///var/run/docker.sock", name=socket.gethostname())
