"""Finds out what does not work, and says what to look at."""

from glasshouse_cli.doctor.checks import Check, follow

__all__ = ["Check", "follow"]
