"""Images that servers are made from."""
