"""Reports on data that the rules were not made with: logs, conventions, people, wrappings."""
