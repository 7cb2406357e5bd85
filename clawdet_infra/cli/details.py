"""`clawdet details`: all that is known of instances, secrets excepted."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from clawdet_infra.agent.readiness import sentence
from clawdet_infra.cli.instances import Ids, Json, find, run, short_image
from clawdet_infra.cli.output import echo, print_json, print_table
from clawdet_infra.cli.stack import Stacks
from clawdet_infra.formatting.durations import describe
from clawdet_infra.formatting.json_format import camel_keys, fields_of

if TYPE_CHECKING:
    from clawdet_infra.hosts import Hosts
    from clawdet_infra.inventory.instance import Instance, Inventory


def details(customers: Ids, stacks: Stacks = None, json_output: Json = False) -> None:
    """Tell all that is known of instances: server, containers, disk, release, certificate, the server's own guard.

    What cannot be asked is said in its place, so that one thing that is down does not hide the rest.

    Example: clawdet details user123
    """
    inventory, instances = find(customers, stacks)
    known = run(_ask_all(inventory, instances))
    if json_output:
        print_json(known)
        return
    for number, one in enumerate(known):
        if number:
            echo("")
        _show(one)


async def _ask_all(inventory: Inventory, instances: list[Instance]) -> list[dict[str, Any]]:
    from clawdet_infra.hosts import Hosts

    async with Hosts(inventory.login_keys) as hosts:
        return list(await asyncio.gather(*(_ask(inventory, hosts, one) for one in instances)))


async def _ask(inventory: Inventory, hosts: Hosts, instance: Instance) -> dict[str, Any]:
    from clawdet_infra.probe import probe_once

    server, host, verdict = await asyncio.gather(
        _status(inventory, instance),
        _host(hosts, instance),
        probe_once(instance.target(inventory.clouds[instance.stack])),
    )
    return {
        "customer": instance.id,
        "stack": instance.stack,
        "plan": instance.plan,
        "url": instance.url,
        "user": instance.user,
        "image": instance.image,
        "server": {
            "name": instance.server.name,
            "ipv4": str(instance.server.ipv4),
            "hostKey": instance.server.host_key,
            "sharedWith": [one.id for one in inventory.tenants(instance.server.name) if one.id != instance.id],
            **server,
        },
        "health": {
            "healthy": verdict.healthy,
            "failure": None if verdict.healthy else str(verdict.failure),
            "seconds": verdict.total_seconds,
            "certificateDays": verdict.certificate_days,
            "notReady": list(verdict.not_ready),
        },
        "host": host,
    }


async def _status(inventory: Inventory, instance: Instance) -> dict[str, Any]:
    from clawdet_infra.hosts.hetzner import Provider, ProviderError

    try:
        status = await Provider(inventory.clouds[instance.stack]).status(instance.server.name)
    except ProviderError as error:
        return {"status": None, "error": str(error)}
    return {"status": status or "the provider has no such server"}


async def _host(hosts: Hosts, instance: Instance) -> dict[str, Any]:
    from clawdet_infra.hosts import HostError

    try:
        report = (await hosts.report(instance.server, [instance]))[instance.id]
    except HostError as error:
        return {"error": str(error)}
    facts = fields_of(report)
    look = facts.pop("look")
    for container in look["containers"]:
        container["startedAt"] = report.started.get(container["service"])
    del facts["started"]
    facts["guard"] = camel_keys(facts["guard"])
    return {**look, **facts}


def _show(known: dict[str, Any]) -> None:
    server, health, host = known["server"], known["health"], known["host"]
    others = f", shared with {len(server['sharedWith'])} others" if server["sharedWith"] else ""
    status = server["status"] or server["error"]
    days = health["certificateDays"]
    rows = [
        ("customer", f"{known['customer']} ({known['plan']}, stack {known['stack']})"),
        ("url", known["url"]),
        ("health", f"healthy, {health['seconds']:.2f} s" if health["healthy"] else health["failure"]),
        *([("channels", sentence(tuple(health["notReady"])))] if health["notReady"] else []),
        ("certificate", "not seen" if days is None else f"{days:.0f} days left"),
        ("image", short_image(known["image"])),
        ("server", f"{server['name']}, {server['ipv4']}, {status}{others}"),
    ]
    if "error" in host:
        print_table([*rows, ("host", host["error"])], header=False)
        return
    containers = [("CONTAINER", "STATE", "HEALTH", "RESTARTS", "MEMORY", "SINCE")]
    containers += [
        (
            one["service"],
            one["state"],
            one["health"] or "-",
            str(one["restarts"]),
            _memory(one["memoryMib"], one["memoryLimitMib"]),
            (one["startedAt"] or "-").partition(".")[0],
        )
        for one in host["containers"]
    ]
    print_table([*rows, *_host_rows(host)], header=False)
    echo("")
    print_table(containers)


def _host_rows(host: dict[str, Any]) -> list[tuple[str, str]]:
    good, now = host["goodRelease"], host["release"]
    release = f"{now}, {(host['digest'] or '')[:12]}" if now else "none"
    rows = [
        ("release", release if good == now else f"{release}; the last that got ready is {good or 'none'}"),
        (
            "disk",
            f"{host['diskUsedShare']:.0%} of {host['diskTotalMib'] / 1024:.0f} GiB, "
            f"{host['inodesUsedShare']:.0%} of the inodes",
        ),
        ("memory", f"{host['memoryAvailableMib']:.0f} of {host['memoryTotalMib']:.0f} MiB available"),
        ("load", f"{host['load']:.2f}; up for {describe(timedelta(seconds=host['uptimeSeconds']))}"),
    ]
    if host["guardCheckedAt"]:
        rows.append(("guard", f"{_guarded(host['guard'] or {})}; last look {host['guardCheckedAt']}"))
    if host["overruled"]:
        rows.append(("settings", f"the deployment overruled {', '.join(host['overruled'])}"))
    return rows


def _guarded(noted: dict[str, Any]) -> str:
    """Say what the guard found, and which containers it had to repair."""
    told = [str(noted.get("found", "not known to it"))]
    for service, record in (noted.get("containers") or {}).items():
        count = len(record.get("repairs", ()))
        repairs = f"{count} repair{'' if count == 1 else 's'}"
        told.append(f"{service} {repairs}{', given up' if record.get('givenUp') else ''}")
    return "; ".join(told)


def _memory(used: float | None, limit: float | None) -> str:
    if used is None:
        return "-"
    return f"{used:.0f} of {limit:.0f} MiB" if limit else f"{used:.0f} MiB"
