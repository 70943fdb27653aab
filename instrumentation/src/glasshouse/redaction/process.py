"""The redactor of this process's spans, log records and metrics."""

import functools

from glasshouse.redaction.counting import count_record
from glasshouse.redaction.redactor import Redactor
from glasshouse.redaction.telemetry import TelemetryRedactor


@functools.cache
def telemetry_redactor() -> TelemetryRedactor:
    """Return the redactor of this process's records, made once."""
    return TelemetryRedactor(Redactor.default(), count_record)
