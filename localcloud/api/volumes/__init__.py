"""Volumes.  They are records only: no machine gets a disk from them."""
