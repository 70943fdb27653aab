"""A user's own dashboards, rules, events and Collector parts, in a folder beside ours."""
