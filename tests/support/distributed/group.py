"""Processes that belong together, each with a disk of its own."""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import httpx

from support.waiting import until

# What starts late on a loaded machine is waited for.
STARTED_WITHIN_S: Final = 600.0
_ENDED_WITHIN_S: Final = 120.0


class Group(Protocol):
    """What a proof needs of processes, be they programs or containers."""

    @property
    def names(self) -> Sequence[str]:
        """Of all, in an order that stays."""
        ...

    def url(self, name: str) -> str:
        """Where one is asked, and takes what it takes over HTTP."""
        ...

    def kill(self, name: str) -> None:
        """End it at once, as kill -9 does."""
        ...

    def wipe(self, name: str) -> None:
        """Delete the disk of one that does not run."""
        ...

    def start(self, name: str) -> None:
        """Start it again and wait until it is ready."""
        ...

    def log(self, name: str) -> str:
        """Return all that it has written."""
        ...


@dataclass(kw_only=True)
class Program:
    """One process. folder: where it runs and keeps what it has, `data` below it.

    ready: an address that answers with a status of ``accepts`` when it takes work.
    """

    name: str
    folder: Path
    command: Sequence[str]
    ready: str
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    accepts: tuple[int, ...] = (200,)
    popen: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def _log(self) -> Path:
        return self.folder / "log"

    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace") if self._log.exists() else ""

    def launch(self) -> None:
        """Start it, and do not wait."""
        self.data.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as output:
            self.popen = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env={**os.environ, **self.environment},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def wait(self, deadline_s: float = STARTED_WITHIN_S) -> None:
        """Wait until it is ready; fail with what it wrote when it ends instead."""

        def ready() -> tuple[bool | None, object]:
            assert self.popen is not None
            assert self.popen.poll() is None, f"{self.name} ended: {self.log()[-3000:]}"
            try:
                answer = httpx.get(self.ready, timeout=10, trust_env=False)
            except httpx.HTTPError as error:
                return None, repr(error)
            return answer.status_code in self.accepts or None, answer.text[:300]

        until(ready, what=f"{self.name} is ready", deadline_s=deadline_s)

    def start(self) -> None:
        self.launch()
        self.wait()

    def kill(self) -> None:
        """End it at once."""
        if self.popen is not None and self.popen.poll() is None:
            self.popen.send_signal(signal.SIGKILL)
            self.popen.wait(_ENDED_WITHIN_S)

    def stop(self, within_s: float = STARTED_WITHIN_S) -> int:
        """Ask it to end, wait until it has; return the exit code."""
        assert self.popen is not None
        self.popen.terminate()
        return self.popen.wait(within_s)

    def pause(self) -> None:
        """Let it stand still: it answers nothing and refuses nothing."""
        assert self.popen is not None
        self.popen.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self.popen is not None
        self.popen.send_signal(signal.SIGCONT)

    def ended(self, within_s: float = STARTED_WITHIN_S) -> int:
        """Wait for an end of its own; return the exit code."""
        assert self.popen is not None
        return self.popen.wait(within_s)

    def wipe(self) -> None:
        assert self.popen is None or self.popen.poll() is not None, f"{self.name} runs"
        shutil.rmtree(self.data, ignore_errors=True)

    def cpu_s(self) -> float:
        """Return the processor time that it has used, in seconds."""
        assert self.popen is not None
        stat = Path(f"/proc/{self.popen.pid}/stat").read_text(encoding="ascii")
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def resident_mib(self) -> float:
        """Return its own resident memory, without the pages of files, in MiB."""
        assert self.popen is not None
        status = Path(f"/proc/{self.popen.pid}/status").read_text(encoding="utf-8")
        found = dict(line.split(":", 1) for line in status.splitlines())
        return int(found["RssAnon"].split()[0]) / 1024


@dataclass(kw_only=True)
class Programs:
    """A group of plain programs."""

    programs: dict[str, Program]
    urls: dict[str, str]

    @property
    def names(self) -> Sequence[str]:
        return list(self.programs)

    def url(self, name: str) -> str:
        return self.urls[name]

    def kill(self, name: str) -> None:
        self.programs[name].kill()

    def wipe(self, name: str) -> None:
        self.programs[name].wipe()

    def start(self, name: str) -> None:
        self.programs[name].start()

    def log(self, name: str) -> str:
        return self.programs[name].log()

    def start_all(self) -> None:
        """Start all at once, then wait: some become ready only with the others."""
        for program in self.programs.values():
            program.launch()
        for program in self.programs.values():
            program.wait()


@contextlib.contextmanager
def ended_after(*groups: Programs | Program) -> Iterator[None]:
    """Kill whatever still runs at the end."""
    try:
        yield
    finally:
        for group in groups:
            for program in group.programs.values() if isinstance(group, Programs) else [group]:
                program.kill()
