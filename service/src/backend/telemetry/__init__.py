"""The events that the service emits, and the values that they have."""
