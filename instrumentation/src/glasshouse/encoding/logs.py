"""Log records as messages `LogRecord` of OTLP.

https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/logs/v1/logs.proto
"""

from typing import Any, Final

from opentelemetry._logs import SeverityNumber
from opentelemetry.attributes import BoundedAttributes

from glasshouse.encoding.attributes import Attributes, Texts
from glasshouse.encoding.origins import Origin, Origins
from glasshouse.encoding.values import any_value
from glasshouse.encoding.wire import count, fixed32, fixed64, sized, varint
from glasshouse.redaction import repair
from glasshouse.redaction.telemetry import TelemetryRedactor

_SEVERITIES: Final = {
    number: b"\x10" + varint(number.value) if number.value else b"" for number in SeverityNumber
}


class LogEncoder:
    """Redacts and encodes log records at once.

    redactor: None for records that have been redacted already. Resources and scopes always have.
    """

    def __init__(self, redactor: TelemetryRedactor | None) -> None:
        self._redactor = redactor
        self._origins = Origins(None, "logs")
        self._attributes = Attributes(b"\x32", redactor)
        self._texts = Texts(None if redactor is None else redactor.text)
        self._bodies = Texts(None if redactor is None else redactor.body)

    def encode(self, record: Any, log: Any, own: Any) -> tuple[Origin, bytes]:
        """Return where a record comes from, and itself as a field of a `ScopeLogs`.

        record: what the SDK hands over. log: what it says. own: the trace that it belongs to.

        Raises:
            Exception: it cannot be encoded.
        """
        origin = self._origins.origin(record.resource, record.instrumentation_scope)
        out: list[bytes] = []
        moment, observed = log.timestamp, log.observed_timestamp
        if self._redactor is not None:
            moment, observed = repair.moment(moment), repair.moment(observed)
        if moment:
            out += (b"\x09", fixed64(moment))
        out += (_severity(own.severity_number), b"\x2a", self._body(log.body))
        if text := log.severity_text:
            out += (b"\x1a", self._texts.sized(text))
        attributes = log.attributes
        self._attributes.extend(out, attributes)
        if isinstance(attributes, BoundedAttributes) and attributes.dropped:
            out += (b"\x38", count(attributes.dropped))
        if flags := int(own.trace_flags):
            out += (b"\x45", fixed32(flags))
        if own.trace_id != 0:
            out += (b"\x4a\x10", own.trace_id.to_bytes(16, "big"))
        if own.span_id != 0:
            out += (b"\x52\x08", own.span_id.to_bytes(8, "big"))
        if observed:
            out += (b"\x59", fixed64(observed))
        if name := log.event_name:
            out += (b"\x62", self._texts.sized(name))
        return origin, b"\x12" + sized(b"".join(out))

    def _body(self, body: Any) -> bytes:
        if type(body) is str:
            return sized(b"\x0a" + self._bodies.sized(body))
        return sized(any_value(body if self._redactor is None else self._redactor.body(body)))


def _severity(number: Any) -> bytes:
    known = _SEVERITIES.get(number) if isinstance(number, SeverityNumber) else None
    if known is None:
        value = getattr(number, "value", None)
        known = b"" if value is None else b"\x10" + varint(value)
    return known
