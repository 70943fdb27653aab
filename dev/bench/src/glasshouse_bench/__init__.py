"""What redaction catches and what it costs, measured on the real Collector."""
