"""Namespaces for network, mounts and processes, which end with the test that made them."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, Self, TypeVar

_HOLDER = Path(__file__).with_name("holder.py")
_CLONE_NEWNET = 0x40000000
_ENDED_WITHIN_S = 240

T = TypeVar("T")


def leave() -> None:
    """Let the calling thread use the machine's network from now on."""
    # That of the process is its first thread's.
    _use_network("self")


def _use_network(pid: int | str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    with Path(f"/proc/{pid}/ns/net").open("rb") as entrance:
        if libc.setns(entrance.fileno(), _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "the network namespace cannot be entered")


class Namespace:
    """Only loopback, mounts that nobody else sees, and processes that end with `close`.

    `settings` is the folder that is /etc/docker inside.
    """

    def __init__(self, settings: Path) -> None:
        self._root = subprocess.Popen(
            [
                *("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
                *(sys.executable, str(_HOLDER), str(settings)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self._root.stdout is not None
        if self._root.stdout.readline() != b"ready\n":
            _, errors = self._root.communicate(timeout=_ENDED_WITHIN_S)
            raise AssertionError(f"no namespaces can be made: {errors.decode()}")
        children = Path(f"/proc/{self._root.pid}/task/{self._root.pid}/children")
        self._pid = int(children.read_text(encoding="ascii").split()[0])
        self._started: list[subprocess.Popen[Any]] = []
        # A thread whose sockets, and those of threads that it starts, are in the namespace.
        self._thread = ThreadPoolExecutor(max_workers=1, initializer=self._enter)

    def _enter(self) -> None:
        _use_network(self._pid)

    def call(self, function: Callable[[], T]) -> T:
        """Return what `function` returns in a thread that uses the namespace's network."""
        return self._thread.submit(function).result()

    def on_network(self, command: Sequence[str]) -> list[str]:
        """The command line that runs `command` with this network, and all else of the machine."""
        return ["nsenter", f"--net=/proc/{self._pid}/ns/net", "--", *command]

    def start(
        self, command: Sequence[str], log: IO[bytes], **variables: str
    ) -> "subprocess.Popen[Any]":
        """Start a process in all the namespaces."""
        process = subprocess.Popen(
            ["nsenter", f"--target={self._pid}", "--net", "--mount", "--pid", "--", *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **variables},
        )
        self._started.append(process)
        return process

    def close(self) -> None:
        """End every process inside."""
        self._thread.shutdown()
        self._root.communicate(timeout=_ENDED_WITHIN_S)
        for process in self._started:
            process.wait(_ENDED_WITHIN_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
