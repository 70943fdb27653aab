"""What the panels ask, one module a dashboard. `$name` is a variable of that dashboard."""
