"""Records as a service writes them: logs with 8 and spans with 12 attributes, some with hits."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import SEVERITY_NUMBER_INFO
from opentelemetry.proto.trace.v1.trace_pb2 import Span

HIT_SHARE = 0.02
_SEED = 20261125

_RESOURCE = {
    "service.name": "backend-api",
    "service.namespace": "glasshouse",
    "service.version": "1.14.2",
    "service.instance.id": "627cc493-f310-47de-96bd-71410b7dec09",
    "telemetry.sdk.language": "python",
    "telemetry.sdk.name": "opentelemetry",
    "telemetry.sdk.version": "1.45.1",
    "deployment.environment.name": "production",
}
_BODIES = (
    "Payment {tx} submitted to the chain",
    "Payment {tx} confirmed after 3 blocks in {delay:.1f} s",
    "Job confirm_payment finished in {delay:.3f} s, next run in 30 s",
    "HTTP request GET /payments/{tx} returned 200 in {ms} ms",
    "Notification queued for the user of payment {tx}",
    "Retrying after a timeout of the chain, attempt {attempt} of 5",
    "Rebalanced 4 positions of run {run}, cost 0.{ms:03d} EUR",
)
_HITS = (
    "Mail to ada.lovelace@example.org bounced",
    "Card 4111 1111 1111 1111 was declined",
    "Callback from +49 151 23456789 answered",
    "Payout to DE89370400440532013000 queued",
    "Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
    "login failed for user=ada password=hunter2-hunter2",
    "Request from 203.0.113.77 was refused",
)
_AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0",
    "python-httpx/0.28.1",
    "okhttp/4.12.0",
)


def _attributes(items: dict[str, str | int | float]) -> Iterator[KeyValue]:
    for key, value in items.items():
        match value:
            case str():
                held = AnyValue(string_value=value)
            case int():
                held = AnyValue(int_value=value)
            case _:
                held = AnyValue(double_value=value)
        yield KeyValue(key=key, value=held)


class Traffic:
    """Makes requests; the same ones at each run."""

    def __init__(self) -> None:
        self._random = random.Random(_SEED)  # noqa: S311  # repeatable, not secret

    def _hex(self, digits: int) -> str:
        return f"{self._random.getrandbits(4 * digits):0{digits}x}"

    def _uuid(self) -> str:
        text = self._hex(32)
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"

    def logs(self, records: int) -> bytes:
        request = ExportLogsServiceRequest()
        resource = request.resource_logs.add()
        resource.resource.attributes.extend(_attributes(dict(_RESOURCE)))
        scope = resource.scope_logs.add()
        scope.scope.name = "backend.payments"
        for _ in range(records):
            tx, delay, ms = self._uuid(), self._random.uniform(0.1, 90), self._random.randrange(900)
            record = scope.log_records.add()
            record.time_unix_nano = record.observed_time_unix_nano = time.time_ns()
            record.severity_number = SEVERITY_NUMBER_INFO
            record.severity_text = "INFO"
            record.trace_id = self._random.randbytes(16)
            record.span_id = self._random.randbytes(8)
            body = self._random.choice(_BODIES).format(
                tx=tx, delay=delay, ms=ms, attempt=self._random.randrange(1, 6), run=self._uuid()
            )
            items: dict[str, str | int | float] = {
                "payment.transaction_id": tx,
                "payment.currency": "EUR",
                "payment.amount": f"{self._random.uniform(1, 5000):.2f}",
                "correlation.id": self._hex(32),
                "request.id": self._uuid(),
                "code.function.name": "backend.payments.confirm",
                "code.line.number": self._random.randrange(20, 400),
                "payment.blockchain_tx_id": f"0x{self._hex(64)}",
            }
            if self._random.random() < HIT_SHARE:
                body = self._random.choice(_HITS)
                items["note"] = items.pop("payment.currency")
            record.body.string_value = body
            record.attributes.extend(_attributes(items))
        return request.SerializeToString()

    def spans(self, records: int) -> bytes:
        request = ExportTraceServiceRequest()
        resource = request.resource_spans.add()
        resource.resource.attributes.extend(_attributes(dict(_RESOURCE)))
        scope = resource.scope_spans.add()
        scope.scope.name = "opentelemetry.instrumentation.fastapi"
        for _ in range(records):
            span = scope.spans.add()
            now = time.time_ns()
            span.trace_id = self._random.randbytes(16)
            span.span_id = self._random.randbytes(8)
            span.parent_span_id = self._random.randbytes(8)
            span.name = "GET /payments/{transaction_id}"
            span.kind = Span.SPAN_KIND_SERVER
            span.start_time_unix_nano, span.end_time_unix_nano = now, now + 1_000_000
            items: dict[str, str | int | float] = {
                "http.request.method": "GET",
                "url.scheme": "http",
                "url.path": f"/payments/{self._uuid()}",
                "http.route": "/payments/{transaction_id}",
                "http.response.status_code": 200,
                "network.protocol.version": "1.1",
                "server.address": "api.internal",
                "server.port": 8000,
                "client.address": f"10.0.3.{self._random.randrange(256)}",
                "user_agent.original": self._random.choice(_AGENTS),
                "request.id": self._uuid(),
                "correlation.id": self._hex(32),
            }
            if self._random.random() < HIT_SHARE:
                items["url.path"] = f"/search?q={self._random.choice(_HITS)}"
            span.attributes.extend(_attributes(items))
        return request.SerializeToString()
