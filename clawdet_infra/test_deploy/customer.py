"""The fleet of a trial: a stack's settings, and one customer whom nobody knows."""

from __future__ import annotations

import secrets
from typing import Any

from clawdet_infra.config import Fleet, PlanName, dump_fleet, load_fleet

# The networks that the local cloud takes its addresses from; a stack's own sources are of another world there.
LOCAL_SOURCES = ["10.0.0.0/8", "fd00::/8"]
_SHARED_TYPE = "cx33"


def trial_fleet(settings: Fleet, plan: PlanName, name: str, *, own_domain: bool) -> Fleet:
    """Return a fleet with nothing but one customer of a plan, and a shared host where the plan needs one.

    Release, plans and servers are those of `settings`.  With `own_domain` the trial has a domain that nobody else has,
    else it adds records of its own to the zone of `settings`, which has to be there.
    """
    raw: dict[str, Any] = dump_fleet(settings)
    first = settings.shared_hosts[0] if settings.shared_hosts else None
    host = {
        "id": f"{name}-host",
        "type": first.type if first else _SHARED_TYPE,
        "location": first.location if first else settings.server.location,
        "capacity": 1,
    }
    raw |= {
        "domain": f"{name}.test" if own_domain else settings.domain,
        "zone": "manage" if own_domain else "existing",
        "sharedHosts": [host] if plan == "free" else [],
        # A key of the right form, which nobody has: a gateway starts with it and gets no answer from Anthropic.
        "customers": [{"id": name, "plan": plan, "anthropicApiKey": f"sk-ant-{secrets.token_urlsafe(40)}"}],
        "rollout": {"waves": [100]},
        "protect": False,
    }
    return load_fleet(raw)
