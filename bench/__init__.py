"""Measurements; each is a program of its own: `python -m bench.NAME --help`."""
