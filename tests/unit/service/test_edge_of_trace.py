"""The API as it is deployed: whose trace context it takes over, and that strangers are traced."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from backend.platform.migrate import migrate
from backend.platform.settings import DatabaseSettings
from support import callers, otlp_sink, processes
from support.callers import KEY, OTHER_KEY
from support.otlp_sink import Sink
from support.waiting import until

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PAYMENT = {"userId": "zoe", "amount": "10.50", "currency": "EUR"}


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with otlp_sink.running() as sink:
        yield sink


@pytest.fixture
def api(empty: DatabaseSettings, tmp_path: Path, sink: Sink) -> Iterator[str]:
    migrate(empty)
    with processes.running(empty, tmp_path, "http://127.0.0.1:9", 9, "secret") as backend:
        trusted = callers.entry("trusted", KEY, trusted=True)
        callers.write(tmp_path / "callers", trusted, callers.entry("other", OTHER_KEY))
        backend.environment |= {
            "OTEL_PYTHON_DISTRO": "glasshouse",
            "OTEL_EXPORTER_OTLP_ENDPOINT": sink.url,
        }
        yield backend.api()


def hexadecimal(identifier: str) -> str:
    return base64.b64decode(identifier).hex()


def request_span(sink: Sink, request: str) -> dict[str, Any] | None:
    """Return the server's span of a request."""
    for one in sink.spans():
        attributes = {item["key"]: item["value"].get("stringValue") for item in one["attributes"]}
        if attributes.get("request.id") == request and one["kind"] == "SPAN_KIND_SERVER":
            return one
    return None


def post(api: str, key: str, request: str, flags: str) -> int:
    headers = {
        **(callers.headers(key) if key else {}),
        "X-Request-ID": request,
        "traceparent": f"00-{TRACE}-{SPAN}-{flags}",
    }
    answer = httpx.post(
        f"{api}/payments", json=PAYMENT, headers=headers, timeout=240, trust_env=False
    )
    return answer.status_code


def test_only_a_trusted_caller_decides_on_its_trace(api: str, sink: Sink) -> None:
    # The unsampled one of the trusted caller comes before those that are waited for.
    assert post(api, KEY, "trusted-unsampled", "00") == 202
    expected = {
        "trusted-sampled": (KEY, "01", 202),
        "other-sampled": (OTHER_KEY, "01", 202),
        "other-unsampled": (OTHER_KEY, "00", 202),
        "stranger-sampled": ("", "01", 401),
        "stranger-unsampled": ("wrong", "00", 401),
    }
    found: dict[str, dict[str, Any]] = {}
    for request, (key, flags, status) in expected.items():
        assert post(api, key, request, flags) == status
        found[request] = until(
            lambda request=request: (request_span(sink, request), "no span yet"),
            what=f"the span of {request}",
        )
    first = found.pop("trusted-sampled")
    assert (hexadecimal(first["traceId"]), hexadecimal(first["parentSpanId"])) == (TRACE, SPAN)
    assert "links" not in first
    traces = {hexadecimal(one["traceId"]) for one in found.values()}
    assert len(traces) == len(found)
    assert TRACE not in traces
    for request, one in found.items():
        assert "parentSpanId" not in one, request
        [link] = one["links"]
        assert (hexadecimal(link["traceId"]), hexadecimal(link["spanId"])) == (TRACE, SPAN)
    # The caller's word holds for itself: it wanted no trace.
    assert request_span(sink, "trusted-unsampled") is None
