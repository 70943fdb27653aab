"""Asks the API from outside whether it answers: a dead one cannot report that it is dead."""

import logging
import time
from collections.abc import Callable, Iterable
from typing import Final

import httpx
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.metrics import Meter, Observation

INTERVAL_S: Final = 5.0
TIMEOUT_S: Final = 3.0
# What was found this long ago says nothing of now: the prober itself hangs.
_STALE_AFTER_S: Final = 3 * INTERVAL_S

_logger = logging.getLogger(__name__)


class Probe:
    """``probe.success`` (1: the last answer was 200; 0: it was another, or none came in time) and
    ``probe.duration`` of one address, by ``target``.

    They are not reported before the first answer, nor when nobody has asked for a while.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        target: str,
        url: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._target = target
        self._url = url
        self._clock = clock
        self._at = float("-inf")
        self._succeeded: bool | None = None
        self._duration = 0.0

    def register(self, meter: Meter) -> None:
        """Create the instruments."""
        meter.create_observable_gauge(
            "probe.success",
            [lambda _: self._observe(int(bool(self._succeeded)))],
            description="1 while the target answers 200, 0 while it does not",
        )
        meter.create_observable_gauge(
            "probe.duration",
            [lambda _: self._observe(self._duration)],
            unit="s",
            description="How long the target took to answer, or until it was given up",
        )

    async def ask(self) -> None:
        """Ask once. Raises nothing that the network does."""
        started = self._clock()
        try:
            # Housekeeping: no spans of it, and no part in the metrics of calls.
            with suppress_instrumentation():
                answer = await self._client.get(
                    # As a stranger comes: an open connection would hide that no new one is taken.
                    self._url,
                    headers={"Connection": "close"},
                    timeout=TIMEOUT_S,
                )
            found = str(answer.status_code)
            succeeded = answer.status_code == httpx.codes.OK
        except httpx.HTTPError as error:
            found, succeeded = type(error).__qualname__, False
        self._at = self._clock()
        self._duration = self._at - started
        # Only changes: a dead target would fill the log.
        if succeeded is not self._succeeded:
            level = logging.INFO if succeeded else logging.WARNING
            extra = {"target": self._target, "answer": found}
            _logger.log(level, "Probe changed", extra=extra)
        self._succeeded = succeeded

    def _observe(self, value: float) -> Iterable[Observation]:
        if self._clock() - self._at > _STALE_AFTER_S:
            return []
        return [Observation(value, {"target": self._target})]
