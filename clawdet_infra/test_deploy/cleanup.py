"""Deletes what a trial has made at the cloud, by its label, whatever the engine knows of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from clawdet_infra.config import CloudAccess
from clawdet_infra.resources import FLEET_LABEL
from clawdet_infra.test_deploy.failures import TrialError

if TYPE_CHECKING:
    from hcloud import Client
    from hcloud.firewalls import BoundFirewall

_DEADLINE_SECONDS = 120
_PAUSE_SECONDS = 1.0
# A request that a killed engine had sent may still be carried out after the first look.
_SETTLED_SECONDS = 3.0
_LATER = frozenset({"resource_in_use", "locked", "conflict", "rate_limit_exceeded", "service_error", "timeout"})

Thing = tuple[str, Callable[[], Any]]


def sweep(cloud: CloudAccess, label: str, domain: str, *, unsure: bool) -> list[str]:
    """Delete everything with the label `clawdet-fleet=LABEL`, and return what that was, in words.

    `unsure` means that an engine was stopped in the middle, so that something may appear a moment later.  Raises
    TrialError where something is still there in the end.
    """
    from hcloud import Client

    client = Client(token=cloud.token.get_secret_value(), api_endpoint=cloud.api, application_name="clawdet")
    end = time.monotonic() + _DEADLINE_SECONDS
    gone: list[str] = []
    quiet_since: float | None = None
    problem = ""
    while True:
        problem, things = _round(client, label, domain, gone)
        now = time.monotonic()
        if things == 0 and not problem:
            quiet_since = quiet_since or now
            if not unsure or now - quiet_since >= _SETTLED_SECONDS:
                return list(dict.fromkeys(gone))
        else:
            quiet_since = None
        if now > end:
            raise TrialError(
                f"not all of {label} could be removed at the cloud: {problem or 'something is still there'}; "
                f"look for the label {FLEET_LABEL}={label}"
            )
        time.sleep(_PAUSE_SECONDS)


def _round(client: Client, label: str, domain: str, gone: list[str]) -> tuple[str, int]:
    """Delete what is there now; returns the last problem and how many things there were."""
    from hcloud import APIException, HCloudException

    problem, count = "", 0
    try:
        for name, delete in _things(client, f"{FLEET_LABEL}={label}", domain):
            count += 1
            try:
                delete()
                gone.append(name)
            except APIException as error:
                if error.code not in _LATER and error.code != "not_found":
                    raise TrialError(f"{name} cannot be removed: {error.message} ({error.code})") from None
                problem = f"{name}: {error.message}"
    except (HCloudException, OSError) as error:
        problem = f"the cloud does not answer: {error}"
    return problem, count


def _things(client: Client, selector: str, domain: str) -> Iterator[Thing]:
    # Servers first: a firewall that is applied to one cannot be deleted.
    for server in client.servers.get_all(label_selector=selector):
        yield f"server {server.name}", server.delete
    for volume in client.volumes.get_all(label_selector=selector):
        yield f"volume {volume.name}", volume.delete
    for zone in client.zones.get_all(name=domain):
        for record in client.zones.get_rrset_all(zone, label_selector=selector):
            yield f"{record.type} record {record.name}", partial(client.zones.delete_rrset, record)
    for zone in client.zones.get_all(label_selector=selector):
        yield f"zone {zone.name}", zone.delete
    for firewall in client.firewalls.get_all(label_selector=selector):
        yield f"firewall {firewall.name}", partial(_delete_firewall, client, firewall)
    for key in client.ssh_keys.get_all(label_selector=selector):
        yield f"SSH key {key.name}", key.delete


def _delete_firewall(client: Client, firewall: BoundFirewall) -> None:
    # One that is applied to a label is in use, also where no server has the label.
    if firewall.applied_to:
        client.firewalls.remove_from_resources(firewall, firewall.applied_to)
    firewall.delete()
