"""The chaos ring: faults in the running stack. Empty so far."""
