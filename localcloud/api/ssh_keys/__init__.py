"""SSH keys that servers are made with."""
