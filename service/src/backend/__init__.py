"""Reference backend: payments confirmed on a blockchain, jobs, health."""
