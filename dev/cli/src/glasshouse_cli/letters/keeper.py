"""Hands out the dead letters line by line, and takes away what was delivered.

A program of its own, run where the files are: in a container beside the Collector's volume, or
on this machine. It imports the standard library alone and knows nothing of what is in a line.

    python3 keeper.py look FOLDER SIGNAL...    lists what there is; changes nothing
    python3 keeper.py take FOLDER SIGNAL...    hands out, and waits for a word on each line

It writes one JSON document a line: first {"total": bytes}, and "full" where the Collector's own
files were left where they are; then for each line {"file", "line", "size", "ended", "sent"} and
"sent" bytes of it; in the end {"over": true}. A fault is {"error": text} and exit code 1. With
`take` it reads "sent" or "keep" after each line.

Nothing is lost when it is killed. A file is renamed before it is read, so that the Collector
goes on in a new one. A line that was delivered gets the byte MARK at its start, in its place,
which no half-done write can spoil; what has a mark is not handed out again. When a file is at its
end the lines without a mark are written to a new file, which then takes its place.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import sys
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

# The control character "cancel". No letter begins with it, and no block that a power cut left.
MARK = b"\x18"
# A longer line is not handed out: whoever sends it has to hold all of it.
LINE_BYTES = 64 << 20
# As much of a line as somebody who only looks gets.
LOOK_BYTES = 1 << 20
# With more than this left by earlier replays the Collector's own files, which it bounds, are
# left where they are.
LEFT_BYTES = 256 << 20
_CHUNK = 1 << 20
# The Collector holds its lock for as long as it writes one line.
_LOCK_S = 10.0
_LOCK_POLL_S = 0.05
_NEW = ".new"


class Refusal(Exception):
    """Why there is nothing to hand out, in words for the operator."""


class Line(NamedTuple):
    """One line of a file: where it begins, its bytes without its end, how many there are.

    ended: whether it has an end; a line that is being written, or was cut short, has none.
    """

    start: int
    content: bytes
    size: int
    ended: bool

    @property
    def gone(self) -> bool:
        """Whether nothing is in it that anybody needs: delivered, or empty."""
        if self.content.startswith(MARK):
            return True
        return len(self.content) == self.size and not self.content.strip()


def lines(file: BinaryIO, most: int) -> Iterator[Line]:
    """The lines of a file; of each the first `most` bytes. The last may lack its end."""
    start = 0
    while content := file.readline(most):
        size = len(content)
        rest = content
        while not rest.endswith(b"\n") and (rest := file.readline(_CHUNK)):
            size += len(rest)
        ended = (rest or content).endswith(b"\n")
        yield Line(start, content.removesuffix(b"\n"), size - ended, ended)
        start += size


def left(folder: Path, signal: str) -> list[Path]:
    """The files of earlier replays, the oldest first."""
    name = re.compile(re.escape(signal) + r"\.jsonl\.replay-[0-9]+")
    found = [path for path in folder.iterdir() if name.fullmatch(path.name)]
    return sorted(found, key=_number)


def _number(path: Path) -> int:
    return int(path.name.rpartition("-")[2])


class Keeper:
    """Answers one command: what it hands out goes to `out`, the words on it come from `words`."""

    def __init__(self, folder: Path, signals: list[str], out: BinaryIO, words: BinaryIO) -> None:
        self._folder = folder
        self._signals = signals
        self._out = out
        self._words = words

    def look(self) -> None:
        """Hand out the beginning of each line; the files stay as they are."""
        files = [
            path
            for signal in self._signals
            for path in (*left(self._folder, signal), self._folder / f"{signal}.jsonl")
        ]
        self._send(total=sum(size(path) for path in files))
        for path in files:
            # A replay may have finished it meanwhile.
            with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
                for number, line in enumerate(lines(file, LOOK_BYTES), start=1):
                    if not line.gone:
                        self._hand(path, number, line)
        self._send(over=True)

    def take(self) -> None:
        """Hand out each line and take away what was sent."""
        with self._alone():
            for forgotten in self._folder.glob(f".*.jsonl.replay-*{_NEW}"):
                forgotten.unlink()
            files = [path for signal in self._signals for path in left(self._folder, signal)]
            full = sum(size(path) for path in files) > LEFT_BYTES
            if not full:
                files += self._rename()
            self._send(total=sum(size(path) for path in files), full=full)
            for path in files:
                self._drain(path)
        self._send(over=True)

    @contextlib.contextmanager
    def _alone(self) -> Generator[None]:
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Refusal("another replay is running") from None
            yield
        finally:
            os.close(folder)

    def _rename(self) -> Iterator[Path]:
        for signal in self._signals:
            earlier = left(self._folder, signal)
            number = _number(earlier[-1]) + 1 if earlier else 1
            taken = self._folder / f"{signal}.jsonl.replay-{number}"
            with contextlib.suppress(FileNotFoundError):
                (self._folder / f"{signal}.jsonl").rename(taken)
                yield taken

    def _drain(self, path: Path) -> None:
        kept = gone = 0
        with path.open("r+b") as file:
            _lock(file)
            for line in lines(file, LINE_BYTES + 1):
                if line.gone:
                    gone += 1
                    continue
                self._hand(path, kept + 1, line, whole=line.size <= LINE_BYTES)
                word = self._words.readline()
                if word == b"sent\n":
                    os.pwrite(file.fileno(), MARK, line.start)
                    gone += 1
                elif word == b"keep\n":
                    kept += 1
                else:
                    raise EOFError  # whoever asked is gone
            if not kept:
                path.unlink()
            elif gone:
                self._shorten(path)

    def _shorten(self, path: Path) -> None:
        """Put a file with the lines that stay in the place of one with marks."""
        fresh = self._folder / f".{path.name}{_NEW}"
        try:
            handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            # Opened anew: what was read before holds the lines as they were without marks.
            with os.fdopen(handle, "wb") as target, path.open("rb") as source:
                _copy(source, target)
                target.flush()
                os.fsync(target.fileno())
            fresh.replace(path)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise

    def _hand(self, path: Path, number: int, line: Line, *, whole: bool = True) -> None:
        content = line.content if whole else b""
        about = {"file": path.name, "line": number, "size": line.size, "ended": line.ended}
        self._send(**about, sent=len(content), flush=False)
        self._out.write(content)
        self._out.flush()

    def _send(self, *, flush: bool = True, **values: object) -> None:
        self._out.write(json.dumps(values).encode() + b"\n")
        if flush:
            self._out.flush()


def size(path: Path) -> int:
    """Bytes of a file, 0 when there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _copy(file: BinaryIO, target: BinaryIO) -> None:
    """Copy what has no mark, in pieces: a line may be longer than memory should hold."""
    while piece := file.readline(_CHUNK):
        blank = piece.endswith(b"\n") and not piece.strip()
        wanted = not blank and not piece.startswith(MARK)
        while True:
            if wanted:
                target.write(piece)
            if piece.endswith(b"\n") or not (piece := file.readline(_CHUNK)):
                break


def _lock(file: BinaryIO) -> None:
    """Wait until the Collector has finished a line that it began before the file was renamed."""
    end = time.monotonic() + _LOCK_S
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                raise Refusal("the Collector does not let go of a file") from None
            time.sleep(_LOCK_POLL_S)
        else:
            return


def _explain(error: OSError) -> str:
    what = error.strerror or type(error).__name__
    return f"{error.filename}: {what}" if error.filename else what


def main(arguments: list[str]) -> int:
    """Run one command; returns the exit code."""
    command, folder, *signals = arguments
    out = sys.stdout.buffer
    try:
        keeper = Keeper(Path(folder), signals, out, sys.stdin.buffer)
        if not Path(folder).is_dir():
            raise Refusal(f"there is no folder {folder}")
        keeper.look() if command == "look" else keeper.take()
    except (EOFError, BrokenPipeError):
        return 1
    except Refusal as error:
        fault = str(error)
    except OSError as error:
        fault = _explain(error)
    else:
        return 0
    out.write(json.dumps({"error": fault}).encode() + b"\n")
    out.flush()
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
