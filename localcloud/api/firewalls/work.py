"""What firewall actions do to machines."""

from __future__ import annotations

from localcloud.api.actions.model import Action
from localcloud.api.actions.runner import Work
from localcloud.api.cloud import Cloud
from localcloud.api.firewalls.matching import inbound_rules


async def _bring_rules_to_machine(cloud: Cloud, action: Action) -> None:
    """Give the machine the rules that hold now, whichever firewall the action was for.

    So it does not matter in which order the actions of several firewalls come, or whether one is done twice.
    """
    number = action.on("server")
    server = None if number is None else cloud.state.servers.get(number)
    if server is not None and server.made:
        await cloud.machines.set_firewall(server.id, inbound_rules(cloud.state, server))


WORKS: dict[str, Work] = {
    "apply_firewall": _bring_rules_to_machine,
    "remove_firewall": _bring_rules_to_machine,
}
