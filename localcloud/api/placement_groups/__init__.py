"""Placement groups.  All machines are on one host, so they are records only."""
