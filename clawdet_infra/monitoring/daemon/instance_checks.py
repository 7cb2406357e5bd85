"""How the daemon's rounds look: at all instances from outside, and at servers as often as the policy says."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import replace

from clawdet_infra.inventory.instance import Inventory
from clawdet_infra.inventory.observation import Cause, Condition, Diagnosis, Observation
from clawdet_infra.monitoring.checks import CheckCycle, CheckPolicy, HostLooker, StatusAsker, run_checks
from clawdet_infra.probe.result import Sign

_DEPLOYING_SECONDS = 1800
"""A deployment that takes longer excuses nothing any more."""
_BY_AN_UPDATE = frozenset({Cause.DNS, Cause.NETWORK, Cause.SERVER_BUSY, Cause.SERVER_GONE, Cause.SERVER_OFF})
"""What is seen of an instance whose server and name an update makes or removes just then."""
_BY_A_ROTATION = frozenset({Cause.PASSWORD, Cause.TOKEN})
"""What is seen of one that has its new credentials already, while the stack says the old ones until the update ends."""
_DENIED: Sign = "denied"


class Looker:
    """Makes rounds, and remembers who was down, and who has been deployed since when.

    Servers of what was down are asked again in the next round even where they answer by then: a disk that is full is
    seen by asking only, and would seem to have room whenever nobody asks.  `updating` says whether a stack is being
    updated, as far as that is known.
    """

    def __init__(
        self,
        policy: CheckPolicy,
        host_look: HostLooker,
        server_status: StatusAsker,
        updating: Callable[[str], bool] = lambda stack: False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._policy = policy
        self._host_look = host_look
        self._server_status = server_status
        self._updating = updating
        self._monotonic = monotonic
        self._number = 0
        self._down: frozenset[str] = frozenset()
        self._deploying: dict[str, float] = {}

    async def __call__(self, inventory: Inventory, again: Collection[str] | None = None) -> CheckCycle:
        """Look at all instances once; with `again`, look at those of them a second time in the same round."""
        if again is None:
            self._number += 1
        now = self._monotonic()
        overdue = frozenset(one for one, since in self._deploying.items() if now - since > _DEPLOYING_SECONDS)
        seen = await run_checks(
            [one for one in inventory.instances.values() if again is None or one.id in again],
            inventory.clouds,
            self._policy,
            host_look=self._host_look,
            server_status=self._server_status,
            ask="down" if again is not None or self._number % self._policy.full_host_check_every else "all",
            also=self._down,
            overdue=overdue,
        )
        found = self._excused(inventory, seen.observations, overdue)
        down = {one.instance for one in found if one.condition is Condition.DOWN}
        known = inventory.instances.keys()
        self._down = frozenset(down | (self._down & known - {one.instance for one in found}))
        ended = {one.instance for one in found if one.condition is not Condition.DOWN}
        begun = {one.instance for one in found if one.diagnosis and one.diagnosis.cause is Cause.DEPLOYING}
        before = {one: since for one, since in self._deploying.items() if one in known and one not in ended}
        self._deploying = {**dict.fromkeys(begun, now), **before}
        return replace(seen, observations=found)

    def _excused(
        self, inventory: Inventory, observations: list[Observation], overdue: frozenset[str]
    ) -> list[Observation]:
        """Say of what an update makes or removes just then that this is what happens."""
        stacks: dict[str, bool] = {}

        def excused(one: Observation) -> bool:
            if one.instance in overdue or not _may_be_of_an_update(one):
                return False
            stack = inventory.instances[one.instance].stack
            if stack not in stacks:
                stacks[stack] = self._updating(stack)
            return stacks[stack]

        return [
            replace(one, diagnosis=Diagnosis(Cause.DEPLOYING, f"Its stack is being updated. {one.diagnosis.sentence}"))
            if one.diagnosis is not None and excused(one)
            else one
            for one in observations
        ]


def _may_be_of_an_update(one: Observation) -> bool:
    """Whether an update may be what is seen.  A page that is open to everybody has the cause of a wrong password."""
    if one.diagnosis is None:
        return False
    return one.diagnosis.cause in _BY_AN_UPDATE or (one.sign == _DENIED and one.diagnosis.cause in _BY_A_ROTATION)
