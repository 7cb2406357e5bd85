"""Placement rules: paying customers have their own server, free ones a shared host with room for them.

A free customer's `host` is required, unless the fleet has exactly one.  So adding a host never moves a customer: with a
second host, the operator must first set `host` for all of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from clawdet_infra.config.claims import Claims, Entry
from clawdet_infra.config.customer import Customer
from clawdet_infra.config.hosts import SharedHost
from clawdet_infra.config.names import slug_of
from clawdet_infra.config.plan import PLANS, SYSTEM_MEMORY, PlanOverrides, fitting_type
from clawdet_infra.config.problems import Problem, ProblemCode, Suggestion, listed, meant, quoted, remove, write
from clawdet_infra.config.servers import SERVER_TYPES

Tenants = Mapping[str, list[Entry[Customer]]]


def misplaced(claims: Claims) -> Iterator[Problem]:
    """Yield customers without a valid host, and hosts without enough room for their customers."""
    for entry in claims.customers:
        if entry.sound("plan") and PLANS[entry.value.plan].dedicated and entry.value.host is not None:
            yield entry.problem(
                "host",
                f"cannot be given: customers of the plan {entry.value.plan} have a server of their own.",
                suggestion=remove(),
            )
    if claims.hosts is None:
        return
    yield from _same_names(claims.hosts)
    hosts = {host.value.id: host for host in claims.hosts}
    tenants, homeless = _tenants(claims, tuple(hosts))
    occupied = {name: list(tenants[name]) for name in hosts}
    for entry in homeless:
        told, place = _without_place(entry, hosts, occupied, claims.plans or PlanOverrides())
        yield told
        if place is not None:  # The next customer must not get the same free place as a suggestion.
            occupied[place].append(entry)
    for host in hosts.values():
        yield from _crowded(host, tenants[host.value.id])
        if claims.plans is not None and host.sound("type"):
            yield from _overloaded(host, tenants[host.value.id], claims.plans)


def _tenants(claims: Claims, hosts: tuple[str, ...]) -> tuple[Tenants, list[Entry[Customer]]]:
    """Return the free customers of each host, and those without a host."""
    tenants: dict[str, list[Entry[Customer]]] = defaultdict(list)
    homeless = []
    for entry in claims.customers:
        if not entry.sound("plan", "host") or PLANS[entry.value.plan].dedicated:
            continue
        host = hosts[0] if entry.value.host is None and len(hosts) == 1 else entry.value.host
        if host in hosts:
            tenants[host].append(entry)
        else:
            homeless.append(entry)
    return tenants, homeless


def _without_place(
    entry: Entry[Customer], hosts: Mapping[str, Entry[SharedHost]], tenants: Tenants, plans: PlanOverrides
) -> tuple[Problem, str | None]:
    """Return the problem of a customer without a host, and the suggested host."""
    customer = entry.value
    if not hosts:
        message = "is missing, and the fleet has no shared host for a free customer."
        if customer.host is not None:
            message = f"{quoted(customer.host)} is not a shared host; the fleet has none."
        return entry.problem("host", message, "Add a host under `sharedHosts`, or choose a paying plan."), None
    known = {name: host for name, host in hosts.items() if host.sound("type", "capacity")}
    free = {name: _places(host, tenants[name], plans) for name, host in known.items()}
    room = {name: count for name, count in sorted(free.items()) if count > 0}
    where = "All hosts are full: add one under `sharedHosts`."
    if room:
        where = f"Free places: {listed([f'{name} ({count})' for name, count in room.items()])}."
    elif len(known) < len(hosts):
        where = f"Known hosts: {listed(tuple(hosts))}."
    fitting = [name for name in room if _left(known[name], tenants[name], plans) >= _memory(entry, plans)]
    if customer.host is None:
        message, suggestion = f"is required, because the fleet has {len(hosts)} shared hosts.", None
        if fitting:
            suggestion = write(max(fitting, key=room.__getitem__), "")
    else:
        message = f"{quoted(customer.host)} is not a shared host of the fleet."
        suggestion = meant(customer.host, fitting)
    return entry.problem("host", message, where, suggestion), suggestion.value if suggestion else None


def _memory(entry: Entry[Customer], plans: PlanOverrides) -> int:
    plan = plans.plan(entry.value.plan)
    return plan.memory_with(plan.limits.override(entry.value.limits))


def _places(host: Entry[SharedHost], tenants: list[Entry[Customer]], plans: PlanOverrides) -> int:
    """Return how many more customers of the free plan fit on a host, by count and by memory."""
    by_count = host.value.capacity - len(tenants)
    return max(min(by_count, _left(host, tenants, plans) // plans.plan("free").limits.memory), 0)


def _left(host: Entry[SharedHost], tenants: list[Entry[Customer]], plans: PlanOverrides) -> int:
    """Return the memory of a host, in MiB, that is not reserved for its customers."""
    return SERVER_TYPES[host.value.type].memory - SYSTEM_MEMORY - sum(_memory(one, plans) for one in tenants)


def _crowded(host: Entry[SharedHost], tenants: list[Entry[Customer]]) -> Iterator[Problem]:
    if host.sound("capacity") and len(tenants) > host.value.capacity:
        yield host.problem(
            "capacity",
            f"'{host.value.id}' has {len(tenants)} customers, but room for only {host.value.capacity}.",
            "Move customers by their `host`, or raise the capacity if memory allows it.",
            write(len(tenants), ""),
            code=ProblemCode.NO_ROOM,
            demand=len(tenants),
        )


def _overloaded(host: Entry[SharedHost], tenants: list[Entry[Customer]], plans: PlanOverrides) -> Iterator[Problem]:
    cores = SERVER_TYPES[host.value.type].cores
    for entry in tenants:
        cpus = plans.plan("free").limits.override(entry.value.limits).cpus
        if cpus > cores and entry.sound("limits"):
            message = f"{cpus:g} cores are configured, but '{host.value.id}' is a {host.value.type} with {cores}."
            yield entry.problem("limits.cpus", message, "Lower the limit, or choose a larger type for the host.")
    wanted = sum(_memory(one, plans) for one in tenants)
    usable = SERVER_TYPES[host.value.type].memory - SYSTEM_MEMORY
    if wanted > usable:
        yield host.problem(
            "type",
            f"'{host.value.id}' is a {host.value.type} with {usable} MiB for customers, but its {len(tenants)} "
            f"customers may use {wanted} MiB together.",
            "Choose a larger type, or move customers by their `host`.",
            _larger(host.value.location if host.sound("location") else None, wanted, cores),
            code=ProblemCode.NO_ROOM,
            demand=wanted,
        )


def _larger(location: str | None, memory: int, cores: int) -> Suggestion | None:
    """Suggest the first server type with this much memory (MiB) for customers, and this many cores."""
    fitting = location and fitting_type(location, memory, cores)
    return write(fitting, f"The first type that fits at {location} is `{fitting}`.") if fitting else None


def _same_names(hosts: tuple[Entry[SharedHost], ...]) -> Iterator[Problem]:
    firsts: dict[str, Entry[SharedHost]] = {}
    for host in hosts:
        first = firsts.setdefault(slug_of(host.value.id), host)
        if first is not host:
            yield host.problem(
                "id",
                f"'{host.value.id}' names the same server as '{first.value.id}' of {first.path}.",
                "Each host needs an id of its own.",
                rival=first,
            )
