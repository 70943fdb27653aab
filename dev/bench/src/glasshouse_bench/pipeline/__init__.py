"""What a record costs the deployed Collector: by sender and size, by rate, and over time."""
