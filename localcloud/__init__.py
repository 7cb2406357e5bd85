"""A Hetzner Cloud that runs on this machine."""
