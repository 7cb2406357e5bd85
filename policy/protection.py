"""Policies of deletion protection: servers with customers' data."""

from __future__ import annotations

from collections.abc import Iterator

from clawdet_infra.config import PLANS
from clawdet_infra.resources import PLAN_LABEL, PROTECT_LABEL, ROLE_LABEL, SERVER
from policy.resources import Resource, of_each

CHOSEN = (PROTECT_LABEL, "off")
"""The label that the program sets for `protect: false`."""


def unprotected_servers(server: Resource) -> Iterator[str]:
    """Paying customers' servers and shared hosts are protected in Pulumi and at Hetzner, unless `protect` is false."""
    key, value = CHOSEN
    if not _holds_data(server) or server.labels.get(key) == value:
        return
    missing = [
        what
        for what, there in (
            ("Pulumi's `protect`", server.protect),
            ("`delete_protection`", server.properties.get("deleteProtection")),
            ("`rebuild_protection`", server.properties.get("rebuildProtection")),
        )
        if there is not True
    ]
    if missing:
        yield (
            f"{server.place}: {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} off, so one mistake would "
            "delete the customers' data with the server. Set it in clawdet_infra/components/server.py; to make the "
            "server deletable, write `protect: false` for the customer or the fleet."
        )


def _holds_data(server: Resource) -> bool:
    plan = PLANS.get(server.labels.get(PLAN_LABEL, ""))
    return server.labels.get(ROLE_LABEL) == "shared-host" or (plan is not None and plan.paying)


SERVERS = of_each(
    "servers-protected",
    "Servers of paying customers and shared hosts cannot be deleted or rebuilt by mistake.",
    (SERVER,),
    unprotected_servers,
)
