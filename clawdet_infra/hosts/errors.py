"""Why a server could not be asked or did not do something."""

from __future__ import annotations


class HostError(Exception):
    """One sentence that names the server and holds no secret."""


class UnreachableError(HostError):
    """The server takes no connection, or the connection was lost: nothing is known of what it does."""


class BusyError(HostError):
    """A deployment of the same customer is under way on the server."""


class ChangedError(HostError):
    """Nothing was done, because what was seen before has changed: a deployment has ended since, or it is on hold."""
