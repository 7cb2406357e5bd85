"""The Python package pulumi-command, imported without the warning that it gives of its own deprecated resource."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from pulumi_command import local, remote

    _ = (local.Command, remote.Command)  # They are imported when they are first used.

__all__ = ["local", "remote"]
