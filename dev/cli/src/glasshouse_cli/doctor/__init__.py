"""Finds out what does not work, and says what to check next."""

from glasshouse_cli.doctor.checks import Check, follow

__all__ = ["Check", "follow"]
