"""Fakes of external services for development and tests, with switchable faults."""
