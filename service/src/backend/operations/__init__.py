"""What operators look at: health checks and gauges."""
