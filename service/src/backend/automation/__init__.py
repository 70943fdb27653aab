"""Automation runs: the record, the strategies and their execution."""
