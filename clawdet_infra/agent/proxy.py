"""A proxy takes another configuration without an end to its connections."""

from __future__ import annotations

from clawdet_infra.agent.commands import must, run
from clawdet_infra.agent.containers import Project
from clawdet_infra.agent.errors import DeploymentError

RELOAD = ["caddy", "reload", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"]
"""What makes a proxy read its files again, in its container."""


def reload(project: Project, service: str, before: str | None) -> None:
    """Let a proxy take the configuration that lies in its folder now.

    `before` is the service's container as it was when the configuration was put there: one that was made or started
    since has read it.  Raises DeploymentError if the proxy refuses it; the proxy then keeps the configuration it had.
    """
    proxy = project.container(service)
    if proxy is None or proxy != before:
        return
    answer = run(["docker", "exec", proxy, *RELOAD], seconds=60)
    if answer.ok:
        return
    if project.is_healthy(service):
        raise DeploymentError(
            f"the {service} refused its configuration, and goes on with the one before: {answer.said}"
        )
    # The proxy did not run the command, so it serves no requests either.
    must(["docker", "restart", proxy], seconds=120, doing=f"restarting the {service}")
