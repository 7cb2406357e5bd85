"""Puts a daemon together from its real parts."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

from pydantic import SecretStr

from clawdet_infra.database import is_file
from clawdet_infra.inventory.instance import Inventory
from clawdet_infra.monitoring.alerts.heartbeat import DeadMan
from clawdet_infra.monitoring.alerts.manager import Courier, Desk
from clawdet_infra.monitoring.daemon.actions import FleetHands
from clawdet_infra.monitoring.daemon.clients import Reach
from clawdet_infra.monitoring.daemon.config import Operations
from clawdet_infra.monitoring.daemon.cycle import Checker, Tally
from clawdet_infra.monitoring.daemon.daemon import Daemon, Fleet
from clawdet_infra.monitoring.daemon.history_buffer import Keeper
from clawdet_infra.monitoring.daemon.instance_checks import Looker
from clawdet_infra.monitoring.daemon.leader_election import Duty
from clawdet_infra.monitoring.daemon.systemd import Notifier
from clawdet_infra.monitoring.history import History, HistoryPolicy, this_process
from clawdet_infra.monitoring.metrics import Readings
from clawdet_infra.monitoring.remediation import Healer

NOBODY = Inventory(instances={}, servers={}, clouds={}, login_keys={})


@contextlib.asynccontextmanager
async def daemon(
    operations: Operations,
    fleet: Fleet,
    history_url: str,
    courier: Courier,
    *,
    heartbeat: SecretStr | None = None,
    dry_run: bool = False,
    notifier: Notifier | None = None,
    used: Callable[[Inventory], None] = lambda inventory: None,
) -> AsyncIterator[tuple[Daemon, Callable[[], Readings]]]:
    """Yield a daemon for a fleet, and what says its newest readings; connections are closed at the end."""
    reach = Reach(NOBODY)
    policy = HistoryPolicy(longest_gap=operations.longest_gap)
    keeper = Keeper(lambda: History.open(history_url, policy))
    owner = this_process()
    repairs = Tally()
    healer = Healer(
        keeper,
        FleetHands(reach, operations.checks.request_timeout_seconds),
        owner,
        operations.remediation,
        clock=_now,
        ended=repairs,
        dry_run=dry_run,
    )

    def use(inventory: Inventory) -> None:
        reach.use(inventory)
        used(inventory)

    desk = Desk(keeper, courier, operations.alerts, _now)
    look = Looker(operations.checks, reach.hosts.look, reach.providers.statuses, fleet.updating)
    checker = Checker(look, keeper, healer, desk, repairs, _now)
    made = Daemon(
        operations,
        fleet,
        checker,
        healer,
        keeper,
        Duty(keeper, owner, shared=not is_file(history_url)),
        desk,
        clock=_now,
        used=use,
        heartbeat=DeadMan(heartbeat) if heartbeat else None,
        notifier=notifier,
    )
    try:
        yield made, lambda: checker.readings
    finally:
        await reach.close()


def _now() -> datetime:
    return datetime.now(UTC)
