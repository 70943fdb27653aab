"""Changes a key or token of the running stack, so that nothing is refused or lost meanwhile.

The file of a secret holds one key per line: the first is used, the others are still accepted. A new
key becomes the second line first, so that everybody knows it, and the first line after that. Those
who use a file read it again within a second of a change.
"""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from glasshouse.keyring import key_id, keys_of
from glasshouse_cli import compose, handing, secrets
from glasshouse_cli.errors import StackError
from glasshouse_cli.files import write_in_place
from glasshouse_cli.process import run
from glasshouse_cli.project import Project

NAMES = ("data_key", "hmac_key", "internal_token", "otlp_token", "provider_secret")
# Those who use the file have read it by then.
SETTLED_AFTER_S = 3.0
_RESTART_TIMEOUT_S = 120.0
_RESEAL_TIMEOUT_S = 3600.0

Say = Callable[[str], None]


def rotate(checkout: Project, name: str, say: Say) -> None:
    """Put a new key into use; the current one stays accepted.

    Raises StackError when there is no such secret, or the stack does not follow; then the command
    can be given again.
    """
    path = _path(checkout, name)
    with _locked(path) as keys:
        new = _new_key(keys)
        _write_all(checkout, name, [keys[0], new, *keys[1:]])
        time.sleep(SETTLED_AFTER_S)
        _write_all(checkout, name, [new, *keys])
        say(f"{name}: a new key is in use, {len(keys)} of before still accepted")
        time.sleep(SETTLED_AFTER_S)
    _follow(checkout, name, say)


def drop_previous(checkout: Project, name: str, say: Say) -> None:
    """Take away all keys but the current one.

    Raises StackError when something is still under one of them, or cannot be asked.
    """
    path = _path(checkout, name)
    if name == "data_key":
        _reseal(checkout, say)
    with _locked(path) as keys:
        _write_all(checkout, name, keys[:1])
    say(f"{name}: {len(keys) - 1} previous keys dropped")


def _path(checkout: Project, name: str) -> Path:
    if name not in NAMES:
        raise StackError(f"{name}: cannot be rotated; these can: {', '.join(NAMES)}")
    if not secrets.has(checkout.state, name):
        raise StackError(f"{name}: there is none yet: `make up` makes it")
    return checkout.state / "secrets" / name


def _follow(checkout: Project, name: str, say: Say) -> None:
    if name == "data_key":
        _reseal(checkout, say)
    if name == "hmac_key" and _is_running(checkout, "collector"):
        # It reads its configuration at its start alone. What it holds is on its disk, and senders
        # send again what it did not take.
        answer = run(compose.command(checkout, "restart", "collector"), timeout=_RESTART_TIMEOUT_S)
        if not answer.ok:
            raise StackError(f"collector: cannot be started again: {answer.last_line}")
        say("collector: started again with the new key")


def _reseal(checkout: Project, say: Say) -> None:
    """Encrypt again what is not under the current key."""
    if not _is_running(checkout, "worker"):
        raise StackError("worker: is not running, so nothing was encrypted again: `make up`")
    line = compose.command(checkout, "exec", "-T", "worker", "backend", "reseal")
    answer = run(line, timeout=_RESEAL_TIMEOUT_S)
    if not answer.ok:
        raise StackError(f"worker: {answer.last_line}")
    say(f"database: {answer.out.strip().splitlines()[-1]}")


def _is_running(checkout: Project, service: str) -> bool:
    return any(found.service == service and found.running for found in compose.containers(checkout))


def _new_key(keys: Sequence[str]) -> str:
    """Return a new key, whose id no other has: values and pseudonyms name their key by it."""
    used = {key_id(key.encode()) for key in keys}
    while key_id((new := secrets.generate()).encode()) in used:
        pass
    return new


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[list[str]]:
    """Yield the keys of a file that nobody else changes meanwhile."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackError(f"{path.name}: is being rotated already") from None
        keys = list(keys_of(file.read().decode("utf-8")))
        if not keys:
            raise StackError(f"{path} holds no key")
        yield keys


def _write_all(checkout: Project, name: str, keys: Sequence[str]) -> None:
    state = checkout.state
    text = "".join(f"{key}\n" for key in keys).encode()
    # In place, in one write: a container reads it at any time.
    for path in (state / "secrets" / name, *handing.copies(state, name)):
        write_in_place(path, text)
