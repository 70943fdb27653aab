"""What operators read: health checks and gauges."""
