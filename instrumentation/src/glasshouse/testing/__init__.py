"""For tests of services: what they send, redacted, in memory.

With pytest the fixture ``telemetry`` is there as soon as this package is installed with its extra
``glasshouse[testing]``; elsewhere `capture` does the same.

    def test_a_payment_is_recorded(telemetry):
        pay("ord-1", "jane@example.com")
        assert telemetry.find_span("pay").attributes["order"] == "ord-1"
        telemetry.assert_nothing_personal()
"""

from glasshouse.testing.capturing import CaptureError, capture
from glasshouse.testing.records import Log, Metric, Span, SpanEvent, SpanLink
from glasshouse.testing.telemetry import Telemetry

__all__ = [
    "CaptureError",
    "Log",
    "Metric",
    "Span",
    "SpanEvent",
    "SpanLink",
    "Telemetry",
    "capture",
]
