"""A Prometheus of the stack's version over a month of synthetic data, within the stack's bounds."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

from glasshouse_bench import children
from glasshouse_bench.dashboards import series
from glasshouse_cli.errors import StackError

MODULE: Final = Path("dev") / "images" / "prometheus"
_SOURCE: Final = Path(__file__).with_name("blocks.go")
_PACKAGE: Final = "github.com/prometheus/prometheus/cmd"
# When the data ends: the same bytes each time.
END: Final = 1_782_777_600  # 2026-06-30T00:00:00Z
DAY_S: Final = 24 * 3600
_READY_S: Final = 120.0
_BUILT_WITHIN_S: Final = 1800


def build(root: Path, folder: Path) -> tuple[Path, Path]:
    """Build Prometheus as its image has it, and what writes its blocks; return both programs.

    Raises:
        StackError: Go is missing, or it does not compile.
    """
    return (
        _built(root, folder / "prometheus", f"{_PACKAGE}/prometheus"),
        _built(root, folder / "blocks", str(_SOURCE)),
    )


def build_promtool(root: Path, folder: Path) -> Path:
    """Build promtool of the same version. Raises StackError as `build` does."""
    return _built(root, folder / "promtool", f"{_PACKAGE}/promtool")


def _built(root: Path, program: Path, package: str) -> Path:
    program.parent.mkdir(parents=True, exist_ok=True)
    flags = ["-mod=readonly", "-trimpath", "-tags=remove_all_sd", "-ldflags=-s -w"]
    command = ["go", "build", *flags, "-o", str(program), package]
    try:
        done = subprocess.run(  # noqa: S603 (our own command)
            command,
            cwd=root / MODULE,
            env={**os.environ, "CGO_ENABLED": "0"},
            capture_output=True,
            text=True,
            timeout=_BUILT_WITHIN_S,
            check=False,
        )
    except OSError as error:
        raise StackError(f"go is missing ({error.strerror}): install Go 1.26 or newer") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise StackError(f"{package} does not compile: {last}")
    return program


def make_data(root: Path, program: Path, folder: Path, days: int, seed: int) -> dict[str, int]:
    """Write ``days`` of data into ``folder``; return how many series, samples and blocks."""
    return write(program, folder, series.written(root, seed), days * DAY_S)


def write(
    program: Path, folder: Path, found: Iterable[series.Series], seconds: int, *more: str
) -> dict[str, int]:
    """Write ``seconds`` of series into a new ``folder``; ``more``: options of blocks.go."""
    folder.mkdir(parents=True)
    lines = "\n".join(json.dumps(one) for one in found)
    command = [str(program), f"-out={folder}", f"-end={END * 1000}", *more]
    command.append(f"-start={(END - seconds) * 1000}")
    done = subprocess.run(  # noqa: S603 (our own command)
        command, input=lines, capture_output=True, text=True, timeout=3600, check=False
    )
    if done.returncode:
        raise StackError(f"the data cannot be written: {done.stderr.strip()}")
    size = sum(one.stat().st_size for one in folder.rglob("*") if one.is_file())
    return {**json.loads(done.stdout), "mib": size >> 20}


def bounds(root: Path) -> dict[str, str]:
    """Return memory and processors that the stack gives Prometheus, and the target of its garbage
    collector."""
    document = yaml.safe_load((root / "docker-compose.yml").read_text(encoding="utf-8"))
    service = document["services"]["prometheus"]
    return {
        "memory": service["mem_limit"],
        "cpus": str(service.get("cpus", document["x-hardened"]["cpus"])),
        "gomemlimit": service["environment"]["GOMEMLIMIT"],
    }


class Running:
    """A Prometheus that runs: where it is asked, and what it needed."""

    def __init__(self, url: str, process: subprocess.Popen[bytes]) -> None:
        self.url = url
        self._process = process
        self.peak_mib = 0

    def watch(self) -> None:
        """Note how much memory is resident, without the pages of its files."""
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="utf-8")
        found = dict(line.split(":", 1) for line in status.splitlines())
        self.peak_mib = max(self.peak_mib, int(found["RssAnon"].split()[0]) >> 10)


@contextlib.contextmanager
def running(root: Path, program: Path, data: Path) -> Iterator[Running]:
    """Run Prometheus over ``data``, of which nothing is in memory yet.

    It neither scrapes nor evaluates rules: what it takes is the queries'.

    Raises:
        StackError: it does not start.
    """
    _forget(data)
    configuration = data.parent / "prometheus.yaml"
    configuration.write_text("global: {}\n", encoding="utf-8")
    limits = bounds(root)
    port = children.free_port()
    command = [
        str(program),
        f"--config.file={configuration}",
        f"--storage.tsdb.path={data}",
        "--storage.tsdb.retention.time=35d",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    ]
    environment = {**os.environ, "GOMEMLIMIT": limits["gomemlimit"], "GOMAXPROCS": limits["cpus"]}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)  # noqa: S603 (our own command)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(url, process)
        yield Running(url, process)
    finally:
        process.terminate()
        process.wait(60)


def _wait(url: str, process: subprocess.Popen[Any]) -> None:
    end = time.monotonic() + _READY_S
    while True:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{url}/-/ready", timeout=5, trust_env=False).is_success:
                return
        if process.poll() is not None:
            raise StackError(f"Prometheus ended with code {process.returncode}")
        if time.monotonic() > end:
            raise StackError(f"Prometheus is not ready after {_READY_S:.0f} s")
        time.sleep(0.1)


def _forget(data: Path) -> None:
    """Drop what the kernel holds of the files: the first query reads from disk."""
    for path in data.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
