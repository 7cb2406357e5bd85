"""Puts a daemon together from its real parts."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

from pydantic import SecretStr

from clawdet_infra.database import is_file
from clawdet_infra.inventory.instance import Inventory
from clawdet_infra.monitoring.alerts.heartbeat import Heartbeat
from clawdet_infra.monitoring.alerts.manager import AlertManager, Notifier
from clawdet_infra.monitoring.daemon.actions import FleetActions
from clawdet_infra.monitoring.daemon.clients import Clients
from clawdet_infra.monitoring.daemon.config import DaemonConfig
from clawdet_infra.monitoring.daemon.cycle import Checker, Tally
from clawdet_infra.monitoring.daemon.daemon import Daemon, Fleet
from clawdet_infra.monitoring.daemon.history_buffer import HistoryBuffer
from clawdet_infra.monitoring.daemon.instance_checks import Looker
from clawdet_infra.monitoring.daemon.leader_election import LeaderElection
from clawdet_infra.monitoring.daemon.systemd import SystemdNotifier
from clawdet_infra.monitoring.history import History, HistoryPolicy, this_process
from clawdet_infra.monitoring.metrics import Readings
from clawdet_infra.monitoring.remediation import Remediator

NOBODY = Inventory(instances={}, servers={}, clouds={}, login_keys={})


@contextlib.asynccontextmanager
async def daemon(
    operations: DaemonConfig,
    fleet: Fleet,
    history_url: str,
    courier: Notifier,
    *,
    heartbeat: SecretStr | None = None,
    dry_run: bool = False,
    notifier: SystemdNotifier | None = None,
    used: Callable[[Inventory], None] = lambda inventory: None,
) -> AsyncIterator[tuple[Daemon, Callable[[], Readings]]]:
    """Yield a daemon for a fleet, and what says its newest readings; connections are closed at the end."""
    reach = Clients(NOBODY)
    policy = HistoryPolicy(longest_gap=operations.longest_gap)
    keeper = HistoryBuffer(lambda: History.open(history_url, policy))
    owner = this_process()
    repairs = Tally()
    healer = Remediator(
        keeper,
        FleetActions(reach, operations.checks.request_timeout_seconds),
        owner,
        operations.remediation,
        clock=_now,
        ended=repairs,
        dry_run=dry_run,
    )

    def use(inventory: Inventory) -> None:
        reach.use(inventory)
        used(inventory)

    desk = AlertManager(keeper, courier, operations.alerts, _now)
    look = Looker(operations.checks, reach.hosts.look, reach.providers.statuses, fleet.updating)
    checker = Checker(look, keeper, healer, desk, repairs, _now)
    made = Daemon(
        operations,
        fleet,
        checker,
        healer,
        keeper,
        LeaderElection(keeper, owner, shared=not is_file(history_url)),
        desk,
        clock=_now,
        used=use,
        heartbeat=Heartbeat(heartbeat) if heartbeat else None,
        notifier=notifier,
    )
    try:
        yield made, lambda: checker.readings
    finally:
        await reach.close()


def _now() -> datetime:
    return datetime.now(UTC)
