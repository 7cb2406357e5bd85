"""What goes wrong with the services beside the API."""

from __future__ import annotations


class ServiceError(Exception):
    """A service could not be started or asked; the text says which, why, and what to do about it."""
