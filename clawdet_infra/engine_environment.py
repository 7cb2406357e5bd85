"""The environment that the engine and its plugins run in."""

from __future__ import annotations

import os
from collections.abc import Mapping

_AGENT = "SSH_AUTH_SOCK"


def engine_environment(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment for the engine, with `changes`, and without the operator's SSH agent.

    Deployments log in with the fleet's own key.  Pulumi's command plugin asks the agent all the same, and fails where
    the variable names one that is gone, as it does in a terminal that outlives its login.
    """
    environment = {**os.environ, **(changes or {})}
    return {name: value for name, value in environment.items() if name != _AGENT}
