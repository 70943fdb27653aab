"""The outside world for development and tests, with switchable faults."""
