"""One module a dashboard: which panels, in which order, and what they mean."""
