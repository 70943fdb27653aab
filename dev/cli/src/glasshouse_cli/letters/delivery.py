"""Sends OTLP requests to a Collector and reports what became of each."""

from __future__ import annotations

import email.utils
import ssl
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType, TracebackType
from typing import Any, Self, cast

import httpx

from glasshouse_cli.errors import StackError
from glasshouse_cli.letters.letter import Signal

# As the services' own.
TOKEN_FILE_VARIABLE = "GLASSHOUSE_OTLP_TOKEN_FILE"  # noqa: S105 (a name)
# How long one request is tried that is put off: while a Collector restarts, say.
PATIENCE_S = 60.0
_REQUEST_TIMEOUT_S = 30.0
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 10.0
_LEAST_WAIT_S = 0.1  # where Retry-After is 0
# What OTLP/HTTP calls retryable, and what stands for a server that is busy.
_PUT_OFF = frozenset({408, 425, 429, 502, 503, 504})
# About this one record. Any other answer is about the address or who asks: the rest of the
# lines would get it, too. 500 is what a Collector says that can never take a record.
_REFUSED = frozenset({400, 413, 422, 500})


class Sender:
    """Sends to one endpoint, such as http://127.0.0.1:4318.

    patience: seconds that one request is tried while the answer is "later". headers: what the
    Collector asks of those who send. verify: what is shown and trusted over TLS.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        patience: float = PATIENCE_S,
        proxies: bool = False,
        headers: Mapping[str, str] = MappingProxyType({}),
        verify: ssl.SSLContext | bool = True,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._http = httpx.Client(
            timeout=_REQUEST_TIMEOUT_S, trust_env=proxies, headers=headers, verify=verify
        )
        self._patience = patience
        self._clock = clock
        self._sleep = sleep
        self._answered = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._http.close()

    def send(self, signal: Signal, body: bytes) -> str | None:
        """Send one request: None when it was accepted, else why it is refused for good.

        The reason is never the answer's own text, which may quote a record.
        Raises StackError when nobody answers, or says "later" for longer than the patience.
        """
        url = f"{self._endpoint}/v1/{signal}"
        end = self._clock() + self._patience
        wait = _FIRST_WAIT_S
        while True:
            answer = self._post(url, body)
            if isinstance(answer, httpx.Response):
                if answer.status_code not in _PUT_OFF:
                    return _verdict(answer, url)
                state, asked = f"HTTP {answer.status_code}", _asked(answer)
            else:
                state, asked = answer, None
            pause = wait if asked is None else max(asked, _LEAST_WAIT_S)
            if self._clock() + pause > end:
                long = "" if asked is None else f", asks to wait {asked:.0f} s"
                raise StackError(
                    f"{url} puts records off ({state}{long}); they are tried for "
                    f"{self._patience:.0f} s each: run this again later, it goes on from here"
                )
            self._sleep(pause)
            wait = min(wait * 2, _LONGEST_WAIT_S)

    def _post(self, url: str, body: bytes) -> httpx.Response | str:
        """The answer, or in a few words why there is none."""
        try:
            answer = self._http.post(
                url, content=body, headers={"Content-Type": "application/json"}
            )
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise StackError(f"{self._endpoint} is no address: {error}") from error
        except httpx.HTTPError as error:
            state = (
                "no answer in time" if isinstance(error, httpx.TimeoutException) else "no answer"
            )
            # At the first request it is the address that is wrong; later it is a restart.
            if not self._answered and isinstance(error, httpx.ConnectError):
                raise StackError(f"nothing listens at {self._endpoint}") from error
            return state
        self._answered = True
        return answer


def _verdict(answer: httpx.Response, url: str) -> str | None:
    if answer.is_success:
        rejected = _rejected(answer)
        return f"{rejected} of its records refused" if rejected else None
    if answer.status_code in _REFUSED:
        return f"HTTP {answer.status_code}"
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        raise StackError(
            f"HTTP 401 at {url}: it takes no request without its token: name a file that holds "
            f"it in {TOKEN_FILE_VARIABLE}"
        )
    raise StackError(f"HTTP {answer.status_code} at {url}: is that a Collector's OTLP/HTTP port?")


def _rejected(answer: httpx.Response) -> int:
    """How many records a partial success leaves out. Raises StackError for no OTLP answer."""
    try:
        reported: Any = answer.json() if answer.content else {}
    except ValueError:
        reported = None
    if not isinstance(reported, dict):
        raise StackError(f"what listens at {answer.url} is no Collector")
    partial = cast("dict[str, Any]", reported).get("partialSuccess")
    if not isinstance(partial, dict):
        return 0
    counts = [
        str(value)
        for key, value in cast("dict[str, Any]", partial).items()
        if key.startswith("rejected")
    ]
    return sum(int(count) for count in counts if count.isdecimal())


def _asked(answer: httpx.Response) -> float | None:
    """Seconds that Retry-After asks to wait; it is a number or a date."""
    text = answer.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(tz=UTC)).total_seconds())
