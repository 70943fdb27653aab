"""The HTTP session of an exporter: tries once, and reports afterwards how it went."""

import datetime

# requests imports it with the first request. A process that is forked meanwhile, by another
# thread, would have a child that waits indefinitely to import it.
import netrc  # noqa: F401  # pyright: ignore[reportUnusedImport]
import os
import weakref
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from requests.cookies import RequestsCookieJar

from glasshouse.delivery.token import carry

# A request that timed out may have been stored all the same. Each next try waits twice as long,
# so that a slow Collector gets few copies.
_LONGEST_TIMEOUT_S: Final = 10.0
# Longer waits that a server asks for are cut to this.
_LONGEST_WAIT_S: Final = 60.0


class NotDeliveredError(requests.RequestException):
    """One try failed.

    The exporters take this exception for a final failure: they do not try again, nor wait.
    """


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came of one request. wait_s: how long the server asks to wait."""

    status: int | None = None
    error: str = ""
    timed_out: bool = False
    wait_s: float | None = None
    body: bytes = b""


class OneTrySession(requests.Session):
    """Remembers what came of its last request. Used by one thread, the sender's.

    stretch: how often to double the time-out.
    """

    def __init__(self) -> None:
        """Raises ConfigurationError where the file of the token is unusable."""
        super().__init__()
        self._token = carry(self)
        self.answer: Answer | None = None
        self.was_used = False
        self.stretch = 0
        self._abandoned: list[Any] = []
        me = weakref.ref(self)

        def after_in_child() -> None:
            if (session := me()) is not None:
                session.start_anew()

        os.register_at_fork(after_in_child=after_in_child)

    @property
    def has_token(self) -> bool:
        """Whether the requests carry a token that may change."""
        return self._token is not None

    def start_anew(self) -> None:
        """Leave all connections to the parent process, whose they are.

        Their pools are kept and not closed: another thread may have held a lock of theirs when
        the process was forked.
        """
        self._abandoned.append((self.adapters, self.cookies))
        self.adapters = type(self.adapters)()
        self.cookies = RequestsCookieJar()
        self.mount("https://", HTTPAdapter())
        self.mount("http://", HTTPAdapter())

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:  # pyright: ignore[reportIncompatibleMethodOverride]  # handed on as it comes
        """Send one request.

        Raises:
            NotDeliveredError: no answer, or one that is no success.
        """
        self.was_used = True
        timeout = kwargs.get("timeout")
        if isinstance(timeout, int | float):
            stretched = timeout * 2**self.stretch
            kwargs["timeout"] = min(max(timeout, _LONGEST_TIMEOUT_S), stretched)
        try:
            response = super().request(*args, **kwargs)
        except requests.RequestException as error:
            timed_out = isinstance(error, requests.ReadTimeout)
            self.answer = Answer(error=type(error).__name__, timed_out=timed_out)
            raise NotDeliveredError(str(error)) from error
        self.answer = Answer(
            status=response.status_code,
            wait_s=_wait(response.headers.get("Retry-After")),
            body=response.content,
        )
        if self._token is not None and response.status_code == HTTPStatus.UNAUTHORIZED:
            self._token.refused()
        # A redirection is not followed, so nothing has been stored.
        if not HTTPStatus.OK <= response.status_code < HTTPStatus.MULTIPLE_CHOICES:
            raise NotDeliveredError(response.reason)
        return response


def _wait(text: str | None) -> float | None:
    """Read a header Retry-After, which holds seconds or a date."""
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=datetime.UTC)
        seconds = (moment - datetime.datetime.now(datetime.UTC)).total_seconds()
    return min(max(seconds, 0.0), _LONGEST_WAIT_S)
