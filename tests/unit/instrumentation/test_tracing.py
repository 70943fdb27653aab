"""Spans of a service's own steps."""

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from glasshouse import traced, tracing


class Shop:
    @traced
    async def pay(self, customer: str, *, fails: bool = False) -> str:
        """Pay."""
        if fails:
            raise LookupError(customer)
        return customer


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("test"))
    return exporter


async def test_a_step_is_a_span_without_its_arguments(spans: InMemorySpanExporter) -> None:
    assert await Shop().pay("zoe") == "zoe"
    [span] = spans.get_finished_spans()
    assert (span.name, dict(span.attributes or {})) == ("Shop.pay", {})
    assert Shop.pay.__doc__ == "Pay."


async def test_a_failed_step_records_the_class_alone(spans: InMemorySpanExporter) -> None:
    with pytest.raises(LookupError, match="zoe"):
        await Shop().pay("zoe", fails=True)
    [span] = spans.get_finished_spans()
    assert dict(span.attributes or {}) == {"error.type": "LookupError"}
    assert (span.status.is_ok, span.status.description) == (False, "LookupError")
    assert "zoe" not in span.to_json()
