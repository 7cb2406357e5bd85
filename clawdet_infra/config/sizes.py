"""Sizing rules: limits must fit the server, and Hetzner must sell the type at the location."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from clawdet_infra.config.claims import Claims, Entry
from clawdet_infra.config.customer import Customer
from clawdet_infra.config.plan import PLANS, SYSTEM_MEMORY, Limits, Plan, PlanOverrides, fitting_type
from clawdet_infra.config.problems import Problem, Suggestion, listed, remove, write
from clawdet_infra.config.servers import SERVER_TYPES, ServerDefaults, ServerPlan, ServerType, decide_server


class Misfit(NamedTuple):
    """A mismatch between limits and a server, the setting that causes it, and a type that would fit."""

    about: Literal["location", "memory", "cpus"]
    message: str
    hint: str
    type: str | None


def oversized(claims: Claims) -> Iterator[Problem]:
    """Yield server types not sold at their location, and limits larger than the server.

    A problem of the fleet's own settings is reported once, not for each affected customer.
    """
    for host in claims.hosts or ():
        if host.sound("type", "location"):
            choice = ServerPlan.model_construct(image="", type=host.value.type, location=host.value.location)
            # The host's own size; `placement` checks the limits of its customers.
            server = SERVER_TYPES[choice.type]
            for misfit in _unsold(choice, server.memory - SYSTEM_MEMORY, server.cores):
                yield host.problem("location", misfit.message, misfit.hint, _typed(misfit, "type"))
    for entry in claims.customers:
        if entry.sound("plan") and not PLANS[entry.value.plan].dedicated and entry.value.server is not None:
            message = f"cannot be given: customers of the plan {entry.value.plan} share hosts."
            yield entry.problem("server", message, "Remove the line, or choose a paying plan.", remove(""))
    if claims.server is None or claims.plans is None:
        return
    judged: set[str] = set()
    for entry in claims.customers:
        if not entry.sound("plan", "server", "limits") or not PLANS[entry.value.plan].dedicated:
            continue
        # The size of an existing server is unknown.
        if entry.value.existing_server is not None:
            continue
        plain = entry.value.server is None and entry.value.limits is None
        if not plain or entry.value.plan not in judged:
            yield from _judge(entry, claims.plans, claims.server)
        if plain:
            judged.add(entry.value.plan)


def _judge(entry: Entry[Customer], plans: PlanOverrides, defaults: ServerDefaults) -> Iterator[Problem]:
    """Check a customer's server, and report the responsible setting: the customer's, the plan's or the fleet's."""
    wish, own = entry.value.server, entry.value.limits
    plan, override = plans.plan(entry.value.plan), getattr(plans, entry.value.plan)
    limits = plan.limits.override(own)
    for misfit in _misfits(plan, limits, decide_server(defaults, plan.server, wish)):
        own_type = _typed(misfit, "server.type")
        if getattr(own, misfit.about, None) is not None:
            yield entry.problem(f"limits.{misfit.about}", misfit.message, misfit.hint, own_type)
        elif wish is not None:
            yield entry.problem("server", misfit.message, misfit.hint, own_type)
        else:
            server = f"plans.{plan.name}.server" if plan.server is not None else "server"
            changed = getattr(override, misfit.about, None) is not None
            yield Problem(
                field=f"plans.{plan.name}.{misfit.about}" if changed else server,
                message=f"for the plan {plan.name}: {misfit.message}",
                hint=misfit.hint,
                suggestion=_typed(misfit, f"plans.{plan.name}.server.type"),
            )


def _typed(misfit: Misfit, field: str) -> Suggestion | None:
    """Suggest the type that would fit; the hint names it."""
    return write(misfit.type, "", field=field) if misfit.type else None


def _unsold(choice: ServerPlan, memory: int, cpus: float) -> Iterator[Misfit]:
    sold_at = SERVER_TYPES[choice.type].locations
    if choice.location not in sold_at:
        message = f"Hetzner does not sell {choice.type} at {choice.location}."
        hint = f"It is sold at {listed(sold_at)}."
        later = SERVER_TYPES.get(name := f"{choice.type[:-1]}{int(choice.type[-1]) + 1}")
        better = fitting_type(choice.location, memory, cpus)
        follows = later is not None and choice.location in later.locations
        if later and follows and _fits(later, memory, cpus):
            better = name
            hint = f"Its successor there is `{better}`. {hint}"
        elif better:
            small = f"Its successor there, {name}, is too small. " if follows else ""
            hint = f"{small}The first type that fits at {choice.location} is {better}. {hint}"
        yield Misfit("location", message, hint, better)


def _misfits(plan: Plan, limits: Limits, choice: ServerPlan) -> Iterator[Misfit]:
    """Yield the mismatches between these limits and this server."""
    server = SERVER_TYPES[choice.type]
    wanted, usable = plan.memory_with(limits), server.memory - SYSTEM_MEMORY
    cpus = max(limits.cpus, plan.browser_limits.cpus if plan.browser_limits else 0)
    yield from _unsold(choice, wanted, cpus)
    better = fitting_type(choice.location, wanted, cpus)
    hint = f"The first type that fits at {choice.location} is {better}."
    if better is None:
        hint = f"No type at {choice.location} fits; lower the limits."
    if wanted > usable:
        browser = f", {plan.browser_limits.memory} of them for the browser" if plan.browser_limits else ""
        message = (
            f"{wanted} MiB are configured{browser}, but a {choice.type} has {usable} MiB for customers "
            f"({SYSTEM_MEMORY} MiB are reserved for the system)."
        )
        yield Misfit("memory", message, hint, better)
    if cpus > server.cores:
        message = f"{cpus:g} cores are configured, but a {choice.type} has {server.cores}."
        yield Misfit("cpus", message, hint, better)


def _fits(server: ServerType, memory: int, cpus: float) -> bool:
    return server.memory - SYSTEM_MEMORY >= memory and server.cores >= cpus
