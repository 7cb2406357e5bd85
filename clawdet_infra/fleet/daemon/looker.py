"""How the daemon's rounds look: at all instances from outside, and at servers as often as the policy says."""

from __future__ import annotations

from clawdet_infra.fleet.instance import Inventory
from clawdet_infra.fleet.records import Condition
from clawdet_infra.fleet.rounds import HostLooker, Round, RoundPolicy, StatusAsker, look_round


class Looker:
    """Makes rounds, and remembers who was down.

    Their servers are asked again in the next round even where they answer by then: a disk that is full is seen by
    asking only, and would seem to have room whenever nobody asks.
    """

    def __init__(self, policy: RoundPolicy, host_look: HostLooker, server_status: StatusAsker) -> None:
        self._policy = policy
        self._host_look = host_look
        self._server_status = server_status
        self._number = 0
        self._down: frozenset[str] = frozenset()

    async def __call__(self, inventory: Inventory) -> Round:
        """Look at all instances once."""
        self._number += 1
        seen = await look_round(
            list(inventory.instances.values()),
            inventory.clouds,
            self._policy,
            host_look=self._host_look,
            server_status=self._server_status,
            ask="down" if self._number % self._policy.all_hosts_every else "all",
            also=self._down,
        )
        down = {one.instance for one in seen.observations if one.condition is Condition.DOWN}
        self._down = frozenset(down | (self._down & set(seen.unseen)))
        return seen
