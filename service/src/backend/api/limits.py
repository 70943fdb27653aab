"""Rate limits: one token bucket a caller, one an address of strangers.

The buckets are in Valkey, where all processes share them. While it does not answer each process
keeps its own: then a caller may do so many times more as there are processes, and nobody is turned
away for a fault that is not his.
"""

import ipaddress
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final, Protocol, cast

from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.metrics import CallbackOptions, Meter, Observation
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

# Each request waits for it.
TIMEOUT_S: Final = 0.5
# For so long it is not asked again after it has failed.
PAUSE_S: Final = 1.0
MAX_LOCAL: Final = 10_000
MAX_CONNECTIONS: Final = 8
_PREFIX: Final = "glasshouse:rate:"
_IPV6_PREFIX: Final = 64

# Takes one token. Returns the seconds until the next one as text: a number would lose its digits.
_SCRIPT: Final = """
local rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local bucket = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = tonumber(bucket[1]) or burst
local past = math.max(0, now - (tonumber(bucket[2]) or now))
tokens = math.min(burst, tokens + past * rate)
local wait = 0
if tokens >= 1 then tokens = tokens - 1 else wait = (1 - tokens) / rate end
redis.call('HSET', KEYS[1], 'tokens', tokens, 'at', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil(burst / rate * 1000) + 1000)
return tostring(wait)
"""

_logger = logging.getLogger(__name__)


class Buckets(Protocol):
    """Where token buckets are kept."""

    async def take(self, key: str, rate: float, burst: int) -> float:
        """Take one token; return 0, or the seconds until there is one.

        A bucket holds ``burst`` tokens and gets ``rate`` a second.
        """
        ...


class LocalBuckets:
    """Buckets of this process. Only the last `MAX_LOCAL` that were used are kept."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    async def take(self, key: str, rate: float, burst: int) -> float:
        now = self._clock()
        tokens, at = self._buckets.pop(key, (float(burst), now))
        tokens = min(burst, tokens + (now - at) * rate)
        wait = 0.0 if tokens >= 1 else (1 - tokens) / rate
        self._buckets[key] = (tokens if wait else tokens - 1, now)
        if len(self._buckets) > MAX_LOCAL:
            self._buckets.popitem(last=False)
        return wait


class SharedBuckets:
    """Buckets in Valkey, or while it does not answer those of this process."""

    def __init__(self, client: Redis, clock: Callable[[], float] = time.monotonic) -> None:
        self._take = client.register_script(_SCRIPT)
        self._local = LocalBuckets(clock)
        self._clock = clock
        self._asked_again_at = float("-inf")
        self._is_alone = False

    def register(self, meter: Meter) -> None:
        """Create the gauge ``rate_limit.local``: 1 while this process keeps its own buckets."""
        meter.create_observable_gauge(
            "rate_limit.local",
            [self.observe],
            description="1 while Valkey does not answer and this process counts for itself",
        )

    def observe(self, _: CallbackOptions) -> Iterable[Observation]:
        return [Observation(int(self._is_alone))]

    async def take(self, key: str, rate: float, burst: int) -> float:
        now = self._clock()
        if now >= self._asked_again_at:
            if self._is_alone:
                # One request finds out; the others do not wait for it.
                self._asked_again_at = now + PAUSE_S
            try:
                # Housekeeping: no spans of it.
                with suppress_instrumentation():
                    answer = await self._take(keys=[_PREFIX + key], args=[rate, burst])
                wait = float(cast("bytes", answer))
            except (RedisError, OSError, ValueError) as error:
                self._asked_again_at = self._clock() + PAUSE_S
                self._note(error)
            else:
                self._note(None)
                return wait
        return await self._local.take(key, rate, burst)

    def _note(self, error: Exception | None) -> None:
        if (error is not None) is self._is_alone:
            return
        self._is_alone = error is not None
        if error is None:
            _logger.info("Rate limits are shared again")
        else:
            _logger.warning(
                "Rate limits are kept by this process alone: REDIS_URL does not answer",
                extra={"error.type": type(error).__qualname__},
            )


def client(url: str) -> Redis:
    """Return a client that answers soon or not at all."""
    pool = BlockingConnectionPool.from_url(  # pyright: ignore[reportUnknownMemberType]  # partly typed upstream
        url,
        # Each request needs one for a moment; opening one takes as long as many moments.
        max_connections=MAX_CONNECTIONS,
        timeout=TIMEOUT_S,
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )
    return Redis.from_pool(pool)


def address_key(address: str) -> str:
    """Return what one stranger has as his own: an IPv4 address, or the network of an IPv6 one."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "address:unknown"
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return f"address:{found.ipv4_mapped}"
        return f"address:{ipaddress.ip_network((found, _IPV6_PREFIX), strict=False)}"
    return f"address:{found}"
