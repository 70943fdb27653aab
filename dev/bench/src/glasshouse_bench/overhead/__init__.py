"""What telemetry costs a Python service: CPU time a request, beside none and beside others."""
