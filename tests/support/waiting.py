"""Polling with a deadline, as the package offers it to everybody's tests."""

from glasshouse.testing.polling import until

__all__ = ["until"]
