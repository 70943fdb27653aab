"""Health checks: what the backend needs, asked for with a time limit each.

A check is a coroutine function that returns details, or raises. Nothing of an exception but
its class is kept: its text may hold a password or an address.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.metrics import CallbackOptions, Meter, Observation

from backend.platform.database import Pool
from backend.platform.queries import query

CHECK_TIMEOUT_S: Final = 2.0
# The open endpoint may be asked as often as anybody likes; what is behind it may not.
FRESH_S: Final = 1.0
REFRESH_INTERVAL_S: Final = 5.0
SMTP_INTERVAL_S: Final = 10.0
# One that does not answer is asked more often: at a start it may only be slower than we are.
SMTP_RETRY_S: Final = 2.0
SMTP_TIMEOUT_S: Final = 5.0
_SMTP_READY: Final = b"220"
_SMTP_LINE_BYTES: Final = 1024

_logger = logging.getLogger(__name__)

# The check of the workers: requests can be taken while it fails.
WORKER: Final = "worker"

Check = Callable[[], Awaitable[Mapping[str, Any]]]


class CheckFailedError(Exception):
    """A check's own verdict. The message is a constant, ``details`` are numbers."""

    def __init__(self, reason: str, **details: Any) -> None:
        super().__init__(reason)
        self.details = details


@dataclass(frozen=True, kw_only=True)
class Result:
    """The outcome of one check. ``details`` are for who holds the internal token."""

    ok: bool
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def status(self) -> str:
        return "ok" if self.ok else "failed"


class HealthChecks:
    """Runs all checks at once and remembers what they said."""

    def __init__(self, checks: Mapping[str, Check], clock: Callable[[], float] = time.monotonic):
        self._checks = dict(checks)
        self._clock = clock
        self._lock = asyncio.Lock()
        self._at = float("-inf")
        self.results: dict[str, Result] = {}

    def register(self, meter: Meter) -> None:
        """Create the gauge ``health.check_status`` by check: 1 passes, 0 fails."""
        meter.create_observable_gauge(
            "health.check_status",
            [self.observe],
            description="1 while the check passes, 0 while it fails",
        )

    async def current(self) -> Mapping[str, Result]:
        """Return results that are at most `FRESH_S` old. Callers at the same time share them."""
        async with self._lock:
            if self._clock() - self._at >= FRESH_S:
                # Housekeeping: no spans of it.
                with suppress_instrumentation():
                    found = await asyncio.gather(*map(self._run, self._checks.values()))
                self._note(dict(zip(self._checks, found, strict=True)))
        return self.results

    async def _run(self, check: Check) -> Result:
        started = time.perf_counter()
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                details = await check()
        except CheckFailedError as error:
            return Result(ok=False, details={"error": str(error), **error.details})
        # Whatever a driver raises, the answer is the same: this dependency does not serve.
        except Exception as error:  # noqa: BLE001 (see above)
            details = {"error": type(error).__qualname__}
            return Result(ok=False, details=details | _duration(started))
        return Result(ok=True, details={**details, **_duration(started)})

    def _note(self, results: dict[str, Result]) -> None:
        for name, result in results.items():
            before = self.results.get(name)
            # Only changes: an unavailable dependency would fill the log.
            if before is None and result.ok:
                continue
            if before is None or before.ok is not result.ok:
                level = logging.INFO if result.ok else logging.WARNING
                extra = {"check": name, "status": result.status}
                _logger.log(level, "Health check changed", extra=extra)
        self.results, self._at = results, self._clock()

    def observe(self, _: CallbackOptions) -> Iterable[Observation]:
        """Report the last results; nothing before the first."""
        return [Observation(int(r.ok), {"check": name}) for name, r in self.results.items()]


def _duration(started: float) -> dict[str, float]:
    return {"durationSeconds": round(time.perf_counter() - started, 4)}


def postgres(pool: Pool) -> Check:
    """A statement is answered."""

    async def check() -> Mapping[str, Any]:
        async with pool.connection() as connection:
            await connection.execute("SELECT 1")
        return {}

    return check


def worker(pool: Pool, max_age: float) -> Check:
    """At least one worker has sent a heartbeat in the last ``max_age`` seconds."""

    async def check() -> Mapping[str, Any]:
        async with pool.connection() as connection:
            row = await (await connection.execute(query("freshest_heartbeat"))).fetchone()
        age: float | None = row["age"] if row else None
        if age is None:
            raise CheckFailedError("no worker")
        details = {"heartbeatAgeSeconds": round(age, 3)}
        if age > max_age:
            raise CheckFailedError("heartbeat too old", **details)
        return details

    return check


@contextlib.asynccontextmanager
async def redis(url: str) -> AsyncIterator[Check]:
    """Redis, or what speaks its protocol, answers PING."""
    from redis.asyncio import Redis

    client = Redis.from_url(  # pyright: ignore[reportUnknownMemberType]  # partly typed upstream
        url, socket_timeout=CHECK_TIMEOUT_S, socket_connect_timeout=CHECK_TIMEOUT_S
    )

    async def check() -> Mapping[str, Any]:
        await cast(Awaitable[bool], client.ping())
        return {}

    try:
        yield check
    finally:
        await client.aclose()


class SmtpProbe:
    """Asks the mail server for its greeting now and then; the check reports the last answer.

    It never logs in and never sends anything but QUIT.
    """

    def __init__(self, host: str, port: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._host = host
        self._port = port
        self._clock = clock
        self._at: float | None = None
        self._error: str | None = None

    async def refresh_if_due(self) -> None:
        """Ask if the last good answer is `SMTP_INTERVAL_S` old, or was none."""
        is_healthy = self._at is not None and self._error is None
        if not is_healthy or self._clock() - (self._at or 0) >= SMTP_INTERVAL_S:
            await self.refresh()

    async def refresh(self) -> None:
        """Ask once. Raises nothing."""
        try:
            async with asyncio.timeout(SMTP_TIMEOUT_S):
                self._error = await self._greeting()
        except (OSError, ValueError) as error:
            self._error = type(error).__qualname__
        self._at = self._clock()

    async def check(self) -> Mapping[str, Any]:
        if self._at is None:
            return {"probed": False}  # the first look is under way
        age = round(self._clock() - self._at, 3)
        error = self._error
        if age > 3 * SMTP_INTERVAL_S + SMTP_TIMEOUT_S:
            error = "not probed any more"
        if error:
            raise CheckFailedError(error, probeAgeSeconds=age)
        return {"probeAgeSeconds": age}

    async def _greeting(self) -> str | None:
        reader, writer = await asyncio.open_connection(
            self._host, self._port, limit=_SMTP_LINE_BYTES
        )
        try:
            line = await reader.readline()
            writer.write(b"QUIT\r\n")
            await writer.drain()
        finally:
            writer.close()
        return None if line.startswith(_SMTP_READY) else "no greeting"
