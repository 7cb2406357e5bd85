"""What things on a server are called that are made from a deployment's name.

A deployment's name is a customer's id with hyphens for dots, so it has only a-z, 0-9 and hyphens.  Each name here puts
an underscore or a leading dot between it and what is added.  So no such name is another customer's, whatever the ids.
"""

from __future__ import annotations

PREFLIGHT = "_preflight"
"""What is added to a deployment's name for the Compose project in which its next release is tried out."""

FAILED = "failed"
"""The folder in a deployment's own that keeps what its last failed attempt printed."""

OLD_PREFLIGHT = "-trial"
"""What releases until November 2026 added instead, which a customer's id may end with too."""


COMPILE_CACHE = "compile-cache-"
"""How the names of the volumes begin that keep a gateway's compiled modules, after the deployment's; see `owned`."""


def preflight(project: str) -> str:
    """Return the name of the Compose project in which a deployment's next release is tried out."""
    return f"{project}{PREFLIGHT}"


def owned(project: str, name: str) -> str:
    """Return what Docker calls a volume or network that a Compose file calls `name`."""
    return f"{project}_{name}"


def lock(name: str) -> str:
    """Return the name of a lock's file.  A lock that is not a deployment's has a name with a dot in front."""
    return f"{name}.lock"


def site(project: str) -> str:
    """Return the name of the edge proxy's file for one customer of a shared host."""
    return f"{project}.caddy"


AGENT = "/usr/local/lib/clawdet/agent.pyz"
"""The agent that a deployment installed last, which removes deployments."""

AGENTS = "/usr/local/lib/clawdet/agents"
"""The folder into which agents are brought."""


AGENT_MISSING = 69
"""The exit code of commands that run an agent which is not there."""


def agent(digest: str, project: str | None = None) -> str:
    """Return where an agent is brought, by its digest; those of two projects never take each other's place."""
    return f"{AGENTS}/{project}.{digest}.pyz" if project else f"{AGENTS}/{digest}.pyz"
