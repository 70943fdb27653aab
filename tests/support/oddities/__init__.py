"""Odd records of OTLP: made from its descriptor, sent, and looked for in the backends."""
