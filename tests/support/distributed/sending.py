"""Sends records with known ids, again and again until each is acknowledged."""

import contextlib
import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from support import otlp
from support.otlp import Attributes

TENANT_HEADER: Final = "X-Scope-OrgID"
SERVICE: Final = "distributed-test"
# Below the address of one: Loki's own, and a distributor's of Tempo.
_PATHS: Final = {"logs": "/otlp/v1/logs", "traces": "/v1/traces"}
_ANSWERED_WITHIN_S: Final = 20.0
_AGAIN_AFTER_S: Final = 0.2
_TOO_MANY: Final = 429
# A backend that takes nothing for so long is broken.
GIVEN_UP_AFTER_S: Final = 600.0


@dataclass(kw_only=True)
class Sent:
    """What was acknowledged. refused: tries that were not, and were repeated."""

    ids: list[str] = field(default_factory=list[str])
    refused: list[str] = field(default_factory=list[str])

    def until_now(self) -> "Sent":
        """Return what it is at this moment, while more is sent."""
        return Sent(ids=list(self.ids), refused=list(self.refused))


class Stream:
    """Sends batch after batch to one of several addresses, as a gateway does.

    signal: "logs" or "traces". attributes: more of each log record. A batch that is not
    acknowledged goes to the next address, unchanged: with the same ids and times.
    """

    def __init__(
        self,
        signal: str,
        urls: Sequence[str],
        tenant: str,
        *,
        batch: int,
        attributes: Attributes | None = None,
    ) -> None:
        self.run = secrets.token_hex(4)
        self._attributes: Attributes = {"test.run": self.run, **(attributes or {})}
        self.sent = Sent()
        self._signal, self._urls, self._batch = signal, list(urls), batch
        self._turn = 0
        self._next = 0
        self._tenant = tenant

    def send(self, batches: int = 1) -> None:
        """Send so many batches; fails when one is not taken at all."""
        for _ in range(batches):
            ids, document = self._document()
            self._until_acknowledged(document)
            self.sent.ids += ids

    @contextlib.contextmanager
    def going_on(self, every_s: float = 0.05) -> Iterator[None]:
        """Send in the background, a batch every so often, until the block ends."""
        stop = threading.Event()
        failed: list[BaseException] = []

        def work() -> None:
            try:
                while not stop.wait(every_s):
                    self.send()
            except BaseException as error:  # noqa: BLE001 (raised below, in the test's thread)
                failed.append(error)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(GIVEN_UP_AFTER_S)
        if failed:
            raise failed[0]
        assert not thread.is_alive()

    def try_once(self, url: str, tenant: str | None = None) -> httpx.Response:
        """Send a batch that is not counted, to one address. tenant: another one, or nobody ("")."""
        _, document = self._document()
        return self._post(url, self._tenant if tenant is None else tenant, document)

    def _post(self, url: str, tenant: str, document: dict[str, Any]) -> httpx.Response:
        return httpx.post(
            url + _PATHS[self._signal],
            json=document,
            headers={TENANT_HEADER: tenant} if tenant else {},
            timeout=_ANSWERED_WITHIN_S,
            trust_env=False,
        )

    def _until_acknowledged(self, document: dict[str, Any]) -> None:
        end = time.monotonic() + GIVEN_UP_AFTER_S
        while True:
            url = self._urls[self._turn % len(self._urls)]
            try:
                answer = self._post(url, self._tenant, document)
            except httpx.HTTPError as error:
                self.sent.refused.append(type(error).__name__)
            else:
                if answer.is_success:
                    self._turn += 1  # the next one takes the next batch
                    return
                said = f"{answer.status_code} {answer.text[:200]}"
                later = answer.is_server_error or answer.status_code == _TOO_MANY
                assert later, f"{url} refuses for good: {said}"
                self.sent.refused.append(said)
            assert time.monotonic() < end, self.sent.refused[-5:]
            self._turn += 1
            time.sleep(_AGAIN_AFTER_S)

    def _document(self) -> tuple[list[str], dict[str, Any]]:
        numbers = range(self._next, self._next + self._batch)
        self._next += self._batch
        ids = [f"{self.run}-{number:07d}" for number in numbers]
        if self._signal == "traces":
            return ids, _enclosed("traces", [one for id in ids for one in _trace(self.run, id)])
        return ids, _enclosed("logs", [otlp.log(id, self._attributes) for id in ids])


def trace_id(id: str) -> str:
    """Return the trace id of a record's id: 8 hex digits of the run, then its number."""
    run, _, number = id.partition("-")
    return f"{run}{int(number):024x}"


def _trace(run: str, id: str) -> list[dict[str, Any]]:
    """Return two spans, parent and child, of which each trace has one of each."""
    attributes: Attributes = {"test.run": run, "test.id": id}
    parent = otlp.span("parent", attributes, trace_id=trace_id(id))
    child = otlp.span("child", attributes, trace_id=trace_id(id))
    return [parent, {**child, "parentSpanId": parent["spanId"]}]


def _enclosed(signal: str, records: list[dict[str, Any]]) -> dict[str, Any]:
    resource = {"attributes": otlp.attributes({"service.name": SERVICE})}
    scope, record = {"logs": ("scopeLogs", "logRecords"), "traces": ("scopeSpans", "spans")}[signal]
    entry = {"resource": resource, scope: [{"scope": {"name": "tests"}, record: records}]}
    return {otlp.OUTER[signal]: [entry]}
