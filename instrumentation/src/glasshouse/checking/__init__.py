"""``glasshouse check``: whether a record of each signal reaches the configured endpoint."""
