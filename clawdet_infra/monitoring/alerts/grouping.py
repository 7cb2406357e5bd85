"""Which alert each trouble belongs to, so that one cause is one alert."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from clawdet_infra.inventory.observation import Alert, Cause, Condition
from clawdet_infra.monitoring.alerts.policy import AlertPolicy
from clawdet_infra.monitoring.alerts.target import AlertTarget

FLEET = "fleet"
CERTIFICATES = "certificates"
CHANNELS = "channels"
OF_THE_HEALTHY = frozenset({CERTIFICATES, CHANNELS})
"""The alerts about instances that may do their work."""

Groups = dict[str, list[AlertTarget]]


def instance_key(instance: str) -> str:
    """Return the key of the alert of one instance."""
    return f"instance:{instance}"


def server_key(server: str) -> str:
    """Return the key of the alert that the instances of a server share."""
    return f"server:{server}"


def group(
    now: datetime,
    awake: Sequence[AlertTarget],
    open_alerts: Mapping[str, Alert],
    calm_looks: Callable[[str], int],
    policy: AlertPolicy,
) -> Groups:
    """Return the subjects of every alert that is to be open, by the alert's key.

    `awake` are the instances that are not being maintained, `calm_looks` says how many healthy looks in a row end the
    alert of a key.
    """
    ripe = {one.id for one in awake if is_ripe(now, one, policy)}

    def kept(key: str, one: AlertTarget) -> bool:
        """Whether an open alert goes on for one of its instances."""
        alert = open_alerts.get(key)
        return alert is not None and one.id in alert.instances and (one.sick or one.looks < calm_looks(key))

    def concerns(keys: Iterable[str], one: AlertTarget) -> bool:
        """Whether an instance is in trouble, or was and has not been well for long enough."""
        return one.down or one.id in ripe or any(kept(key, one) for key in keys)

    groups: Groups = {}
    fleet = [one for one in awake if concerns((FLEET, server_key(one.server), instance_key(one.id)), one)]
    if _is_fleet_wide(awake, fleet, ripe, FLEET in open_alerts, policy):
        groups[FLEET] = fleet
    else:
        for server, tenants in _by_server(awake).items():
            groups |= _on_server(server, tenants, ripe, open_alerts, kept, policy)
    told_expired = {one.id for members in groups.values() for one in members if one.cause is Cause.CERTIFICATE}
    expiring = [
        one for one in awake if one.id not in told_expired and _expires(one, open_alerts.get(CERTIFICATES), policy)
    ]
    channels = [one for one in awake if _lacks_channels(one, open_alerts.get(CHANNELS), policy)]
    return groups | {key: found for key, found in ((CERTIFICATES, expiring), (CHANNELS, channels)) if found}


def is_ripe(now: datetime, one: AlertTarget, policy: AlertPolicy) -> bool:
    """Whether people are to be told of an instance that they were not told of yet."""
    if one.state.condition is Condition.SLOW:
        return one.looks >= policy.slow_threshold
    if not one.down or one.state.failures < policy.failure_threshold:
        return False
    waited = now - one.state.since >= policy.max_delay or one.state.failures >= policy.max_delay_failures
    return waited or not one.healing


def _is_almost_ripe(one: AlertTarget, policy: AlertPolicy) -> bool:
    """Whether an instance is as far as its neighbours, or one look behind: it then shares their alert."""
    if one.state.condition is Condition.SLOW:
        return one.looks >= policy.slow_threshold - 1
    return one.down and one.state.failures >= policy.failure_threshold - 1


def _on_server(
    server: str,
    tenants: Sequence[AlertTarget],
    ripe: set[str],
    open_alerts: Mapping[str, Alert],
    kept: Callable[[str, AlertTarget], bool],
    policy: AlertPolicy,
) -> Groups:
    shared = server_key(server)
    if shared in open_alerts:
        # The alert goes on until the last of its instances is well, and takes in what else goes wrong on the server.
        held = [one for one in tenants if kept(shared, one) or kept(instance_key(one.id), one) or one.id in ripe]
        return {shared: [one for one in tenants if one in held or one.down]} if held else {}
    alone = [one for one in tenants if one.id in ripe or kept(instance_key(one.id), one)]
    if not any(one.id in ripe for one in alone):
        return {instance_key(one.id): [one] for one in alone}
    members = [one for one in tenants if one in alone or (_is_almost_ripe(one, policy) and not one.healing)]
    whole = any(one.whole_server and one.id in ripe for one in members)
    known = all(instance_key(one.id) in open_alerts for one in members)
    sick = [one for one in members if one.sick]
    if (len(sick) > 1 and any(one.id in ripe for one in sick)) or (whole and not known):
        return {shared: members}
    return {instance_key(one.id): [one] for one in alone}


def _is_fleet_wide(
    awake: Sequence[AlertTarget], members: Sequence[AlertTarget], ripe: set[str], is_open: bool, policy: AlertPolicy
) -> bool:
    servers = {one.server for one in awake}
    if is_open:
        # It takes fewer to keep the alert than to raise it, so that it does not come and go at the border.
        return len({one.server for one in members}) > policy.fleet_outage.max_down_ratio / 2 * len(servers)
    sick = [one for one in awake if one.id in ripe or _is_almost_ripe(one, policy)]
    count = len({one.server for one in sick})
    return (
        any(one.id in ripe for one in sick)
        and count >= policy.fleet_outage.min_servers
        and count > policy.fleet_outage.max_down_ratio * len(servers)
    )


def _expires(one: AlertTarget, alert: Alert | None, policy: AlertPolicy) -> bool:
    if one.certificate_days is None:
        # Not known in this round, such as while nothing listens: what was told of it still holds.
        return alert is not None and one.id in alert.instances
    return one.certificate_days < policy.certificate_expiry / timedelta(days=1)


def _lacks_channels(one: AlertTarget, alert: Alert | None, policy: AlertPolicy) -> bool:
    if alert is not None and one.id in alert.instances:
        # What was told of it still holds while nobody knows of its channels, such as while it is down.
        return one.not_ready is None or bool(one.not_ready)
    return one.not_ready_looks >= policy.channel_threshold and bool(one.not_ready)


def _by_server(subjects: Iterable[AlertTarget]) -> dict[str, list[AlertTarget]]:
    found: dict[str, list[AlertTarget]] = {}
    for one in subjects:
        found.setdefault(one.server, []).append(one)
    return found
