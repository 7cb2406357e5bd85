"""Actions: operations that run for a time."""
