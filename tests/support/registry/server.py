"""A real image registry (Debian's package docker-registry) on loopback."""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from glasshouse_cli import host
from support.registry.namespace import Namespace
from support.waiting import until

PACKAGE = "docker-registry"
_ENDED_WITHIN_S = 120


def program(log: Path) -> str:
    """Return the registry's program; install it where that is ours to do, else skip the test."""
    if shutil.which(PACKAGE) is None and host.can_install() and host.has_package(PACKAGE):
        host.install([PACKAGE], log)
    found = shutil.which(PACKAGE)
    if found is None:
        pytest.skip(f"{PACKAGE} is missing: apt-get install {PACKAGE}")
    return found


@contextlib.contextmanager
def running(
    storage: Path,
    port: int,
    *,
    namespace: Namespace | None = None,
    certificate: tuple[Path, Path] | None = None,
) -> Iterator[str]:
    """Serve `storage` on a port of loopback, of the namespace's if one is given; yield NAME:PORT.

    certificate: the files of certificate and key, to answer by TLS only.
    """
    name = f"127.0.0.1:{port}"
    storage.mkdir(parents=True, exist_ok=True)
    config = storage.with_name(f"{storage.name}-{port}.yml")
    log = config.with_suffix(".log")
    tls = ""
    if certificate:
        tls = f", tls: {{certificate: {certificate[0]}, key: {certificate[1]}}}"
    config.write_text(
        "version: 0.1\n"
        f"storage: {{filesystem: {{rootdirectory: {storage}}}}}\n"
        f"http: {{addr: '{name}'{tls}}}\n"
        "log: {level: error, accesslog: {disabled: true}}\n",
        encoding="utf-8",
    )
    command = [program(log), "serve", str(config)]
    if namespace:
        command = namespace.on_network(command)
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "OTEL_TRACES_EXPORTER": "none"},
        )

    def ask() -> httpx.Response:
        scheme = "https" if certificate else "http"
        # Whether it can be trusted is what the engine is to find out.
        return httpx.get(f"{scheme}://{name}/v2/", timeout=60, trust_env=False, verify=False)  # noqa: S501

    def answers() -> tuple[bool | None, object]:
        assert process.poll() is None, log.read_text(encoding="utf-8")[-2000:]
        try:
            found = namespace.call(ask) if namespace else ask()
        except httpx.HTTPError as error:
            return None, repr(error)
        return found.is_success or None, found.status_code

    try:
        until(answers, what="the registry answers")
        yield name
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(_ENDED_WITHIN_S)
