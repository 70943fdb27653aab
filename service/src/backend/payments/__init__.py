"""Payments: the record, its confirmation on the chain, and money."""
