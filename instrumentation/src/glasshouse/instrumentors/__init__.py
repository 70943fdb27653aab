"""Instrumentations of our own, registered as OpenTelemetry instrumentors."""
