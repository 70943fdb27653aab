"""Faults under load, and the count by id of what became of every record.

load sends records with known ids; ledger notes what was sent, accepted and stored; faults is the
table of what goes wrong; rig is the Collector as a plain process between the two; stack_faults is
the table for the whole stack, with api_load for work over the API and stored for what its backends
have; report writes docs/guarantees.md.
"""
