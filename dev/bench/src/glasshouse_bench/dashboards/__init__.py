"""Whether dashboards, rules and SQL answer within a second: over a month, with a backlog."""
