"""Who may call the API: names, keys, scopes and limits, from one file.

The file holds digests, so whoever reads it cannot call. It is JSON, a list of entries:

    {"name": "shop", "keySha256": ["<64 hex digits>"], "scopes": ["payments:write"],
     "trusted": false, "rate": 50, "burst": 100}
"""

import hashlib
import logging
import time
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

# A change is seen after so many seconds at most.
REREAD_S: Final = 1.0
DEFAULT_RATE: Final = 50.0
DEFAULT_BURST: Final = 100

_logger = logging.getLogger(__name__)


class Scope(StrEnum):
    """What a caller may do."""

    PAYMENTS_WRITE = "payments:write"
    PAYMENTS_READ = "payments:read"
    AUTOMATION_WRITE = "automation:write"
    AUTOMATION_READ = "automation:read"
    NOTIFICATIONS_WRITE = "notifications:write"
    NOTIFICATIONS_READ = "notifications:read"
    CONTACTS_WRITE = "contacts:write"


class CallersError(ValueError):
    """The file of callers cannot be used. The message is one line without any of its values."""


class Caller(BaseModel):
    """One entry.

    ``key_sha256``: digests of the keys that are accepted, more than one while they are changed.
    ``trusted``: the caller's trace context is taken over. ``rate``: requests a second, kept up;
    ``burst``: requests at once.
    """

    model_config = ConfigDict(
        alias_generator=to_camel, extra="forbid", frozen=True, hide_input_in_errors=True
    )

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
    key_sha256: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")], ...],
        Field(min_length=1, alias="keySha256"),
    ]
    scopes: frozenset[Scope]
    trusted: bool = False
    rate: Annotated[float, Field(gt=0, le=1_000_000)] = DEFAULT_RATE
    burst: Annotated[int, Field(ge=1, le=1_000_000)] = DEFAULT_BURST


_FILE: Final = TypeAdapter(list[Caller])


def digest(key: str) -> str:
    """Return what the file holds of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def read(path: Path) -> Mapping[str, Caller]:
    """Return the callers by the digests of their keys.

    Raises:
        CallersError: the file cannot be read, is not what it should be, or names one twice.
    """
    try:
        callers = _FILE.validate_json(path.read_bytes(), strict=False)
    except OSError:
        raise CallersError("cannot be read") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise CallersError(f"{place or 'the file'}: {first['msg']}") from None
    if len({caller.name for caller in callers}) < len(callers):
        raise CallersError("two callers have one name")
    by_digest = {digest: caller for caller in callers for digest in caller.key_sha256}
    if len(by_digest) < sum(len(caller.key_sha256) for caller in callers):
        raise CallersError("one key is there twice")
    return by_digest


class Callers:
    """The callers, read again when their file has changed. One that cannot be read changes nothing.

    Raises:
        CallersError: it cannot be read at the start.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._checked_at = clock()
        self._stamp = self._stat()
        self._by_digest = read(path)

    def find(self, key: str) -> Caller | None:
        """Return who has this key."""
        now = self._clock()
        if now - self._checked_at >= REREAD_S:
            self._checked_at = now
            self._read_again()
        return self._by_digest.get(digest(key))

    def _read_again(self) -> None:
        stamp = self._stat()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._by_digest = read(self._path)
        except CallersError as error:
            _logger.error("API_CALLERS_FILE %s; the callers stay as they were", error)
        else:
            _logger.info("Callers read again", extra={"callers": len(self._by_digest)})

    def _stat(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size
