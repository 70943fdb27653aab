"""The other end of `keeper`: starts it and reads the lines that it hands out."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import tempfile
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from glasshouse_cli.errors import StackError

# For a container to start, or for a long file to be written anew.
_ANSWER_S = 120.0
_STOP_S = 10.0
_CHUNK = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of a dead letters' file.

    number: of the line among those that stay, from 1. size: in bytes. content: all of it, less
    where the keeper does not hand out so much. ended: False where its end was not written.
    """

    file: str
    number: int
    size: int
    content: bytes
    ended: bool

    @property
    def whole(self) -> bool:
        return len(self.content) == self.size


class Channel:
    """A running keeper. `total` is the size of all files in bytes.

    full: earlier replays left so much that the Collector's own files were not taken.
    """

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child
        self._buffer = bytearray()
        first = self._document()
        self.total = int(first["total"])
        self.full = bool(first.get("full"))

    def lines(self) -> Iterator[Line]:
        """Each line; after `take` one of `sent` and `keep` is to follow before the next.

        Raises StackError when the keeper has a fault, or ends.
        """
        while "over" not in (head := self._document()):
            yield Line(
                file=head["file"],
                number=head["line"],
                size=head["size"],
                content=self._read(int(head["sent"])),
                ended=head["ended"],
            )

    def sent(self) -> None:
        """The last line was delivered: it goes."""
        self._say(b"sent\n")

    def keep(self) -> None:
        """The last line stays."""
        self._say(b"keep\n")

    def _say(self, word: bytes) -> None:
        assert self._child.stdin is not None  # noqa: S101  # Popen was given a pipe
        with contextlib.suppress(BrokenPipeError):  # why it ended is read next
            self._child.stdin.write(word)
            self._child.stdin.flush()

    def _document(self) -> dict[str, Any]:
        while (end := self._buffer.find(b"\n")) < 0:
            self._fill()
        document: dict[str, Any] = json.loads(self._read(end + 1))
        if "error" in document:
            raise StackError(f"the dead letters cannot be read: {document['error']}")
        return document

    def _read(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._fill()
        content = bytes(self._buffer[:size])
        del self._buffer[:size]
        return content

    def _fill(self) -> None:
        assert self._child.stdout is not None  # noqa: S101  # Popen was given a pipe
        with selectors.DefaultSelector() as selector:
            selector.register(self._child.stdout, selectors.EVENT_READ)
            if not selector.select(_ANSWER_S):
                raise StackError(f"who reads the dead letters says nothing for {_ANSWER_S:.0f} s")
        piece = os.read(self._child.stdout.fileno(), _CHUNK)
        if not piece:
            raise _Ended
        self._buffer += piece


class _Ended(Exception):
    """The keeper has ended before it was done."""


@contextlib.contextmanager
def opened(command: Sequence[str]) -> Generator[Channel]:
    """Start a keeper by its command line; it ends with the block, whatever is left.

    Raises StackError with its last words when it cannot be started, or ends early.
    """
    with tempfile.TemporaryFile() as words:
        try:
            child = subprocess.Popen(  # noqa: S603  # an argument list of ours, no shell
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=words,
                # Ctrl-C is for us: we end it when the line at hand is done with.
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise StackError(f"{command[0]} is not installed") from error
        try:
            yield Channel(child)
        except _Ended:
            _stop(child)
            words.seek(0)
            said = words.read().decode(errors="replace").strip().splitlines()
            last = said[-1].strip() if said else f"exit code {child.returncode}"
            raise StackError(f"the dead letters cannot be read: {last}") from None
        finally:
            _stop(child)


def _stop(child: subprocess.Popen[bytes]) -> None:
    """End it by the end of its input; it has nothing to finish."""
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
    try:
        child.wait(timeout=_STOP_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
