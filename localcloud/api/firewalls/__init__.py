"""Firewalls, applied to servers one by one or by label selector."""
