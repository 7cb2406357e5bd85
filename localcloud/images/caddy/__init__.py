"""The image of the TLS proxy."""
