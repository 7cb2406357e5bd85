"""A small image that behaves like the gateway, for tests."""
