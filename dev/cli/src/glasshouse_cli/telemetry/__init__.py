"""The contract of `telemetry/`: read, checked, and written into the files that are made of it."""
