"""Limits that stand in more than one configuration file, held against each other."""
