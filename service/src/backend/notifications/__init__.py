"""Notifications: the record, contacts, templates, channels and delivery."""
