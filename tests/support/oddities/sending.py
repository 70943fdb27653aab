"""Sending a request whose bytes may be anything, over each of OTLP's transports."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

import grpc
import httpx

from support.oddities.rows import GRPC, JSON

# Slower than any answer that a bounded Collector gives.
TIMEOUT_S = 120

_METHODS = {
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}
_REFUSED_FOR_GOOD = {"INVALID_ARGUMENT", "RESOURCE_EXHAUSTED", "INTERNAL", "UNIMPLEMENTED"}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """How the sender was answered. refused: for good, and by whom it asked; not by silence."""

    status: str
    accepted: bool
    refused: bool


class Sender:
    """Sends raw requests to one Collector."""

    def __init__(
        self, http: str, grpc_address: str, headers: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """headers: what is shown to be let in."""
        self._client = httpx.Client(
            base_url=http, timeout=TIMEOUT_S, trust_env=False, headers=headers
        )
        self._metadata = tuple((name.lower(), text) for name, text in headers.items())
        self._channel = grpc.insecure_channel(grpc_address, options=[("grpc.enable_http_proxy", 0)])

    def send(self, signal: str, payload: bytes, over: str) -> Answer:
        if over == GRPC:
            return self._call(signal, payload)
        kind = "application/json" if over == JSON else "application/x-protobuf"
        try:
            answer = self._client.post(
                f"/v1/{signal}", content=payload, headers={"Content-Type": kind}
            )
        except httpx.HTTPError as error:
            return Answer(
                status=f"no answer: {type(error).__name__}", accepted=False, refused=False
            )
        code = answer.status_code
        refused = answer.is_client_error and code != httpx.codes.TOO_MANY_REQUESTS
        return Answer(status=f"{code}", accepted=answer.is_success, refused=refused)

    def _call(self, signal: str, payload: bytes) -> Answer:
        call = self._channel.unary_unary(_METHODS[signal])
        try:
            call(payload, timeout=TIMEOUT_S, metadata=self._metadata)
        except grpc.RpcError as error:
            name = error.code().name  # pyright: ignore[reportAttributeAccessIssue]
            return Answer(status=name, accepted=False, refused=name in _REFUSED_FOR_GOOD)
        return Answer(status="OK", accepted=True, refused=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self._channel.close()
