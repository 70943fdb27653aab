"""Redacts and encodes spans and log records at once, for OTLP over HTTP.

What repeats (resources, scopes, names, values without anything to redact) is remembered as bytes.
"""
