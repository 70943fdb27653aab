"""The attributes of OpenTelemetry's semantic conventions with the examples that they give."""

from __future__ import annotations

REPORT = "conventions"
