"""Plans: what each provides, and the bounds of its limits.

The predecessor gave the free plan 512 MB.  A gateway uses 0.8 to 0.9 GiB when idle.  With a heap under about 1.5 GB it
fails in use, not at start, so the customer would notice first.  The minimum of any plan is therefore 2048 MiB.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator

from clawdet_infra.config.base import Record, one_of, whole
from clawdet_infra.config.problems import shown, write, wrong
from clawdet_infra.config.servers import SERVER_TYPES, ServerWish

LEAST_GATEWAY_MEMORY = 2048
LEAST_BROWSER_MEMORY = 512
MOST_MEMORY = 192 * 1024
LEAST_CPUS, MOST_CPUS = 0.25, 48.0
LEAST_PIDS, MOST_PIDS = 128, 32768
SYSTEM_MEMORY = 768
"""MiB of a server reserved for the system: the kernel, systemd, sshd, dockerd and the TLS proxy."""

_CORES = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3})?")

PlanName = Literal["free", "pro", "enterprise"]


def _cpus(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        quoted_one = isinstance(value, str) and _CORES.fullmatch(value)
        number = write(float(value), "Write it without quotes.") if quoted_one else None
        hint = "" if number else "Write for example 1.5."
        raise wrong(f"must be a number of processor cores, but is {shown(value)}.", hint, number)
    if not LEAST_CPUS <= value <= MOST_CPUS:
        within = write(min(max(value, LEAST_CPUS), MOST_CPUS), "")
        raise wrong(f"is {value}; it must be from {LEAST_CPUS} to {MOST_CPUS:g} processor cores.", suggestion=within)
    return float(value)


def _gateway_memory(amount: Any) -> Any:
    if isinstance(amount, int) and not isinstance(amount, bool) and amount < LEAST_GATEWAY_MEMORY:
        raise wrong(
            f"{amount} MiB are under the minimum of {LEAST_GATEWAY_MEMORY} MiB for a gateway.",
            "It uses almost 1 GiB when idle, and fails in use with a heap under about 1.5 GB. The unit is MiB.",
            write(LEAST_GATEWAY_MEMORY, ""),
        )
    return amount


Cpus = Annotated[float, BeforeValidator(_cpus)]
Memory = Annotated[int, whole(0, MOST_MEMORY, "MiB")]
# Pydantic runs the last of such validators first.
GatewayMemory = Annotated[int, whole(LEAST_GATEWAY_MEMORY, MOST_MEMORY, "MiB"), BeforeValidator(_gateway_memory)]
BrowserMemory = Annotated[int, whole(LEAST_BROWSER_MEMORY, MOST_MEMORY, "MiB")]
Pids = Annotated[int, whole(LEAST_PIDS, MOST_PIDS, "processes")]
KnownPlan = Annotated[PlanName, one_of("plan", "free", "pro", "enterprise")]


class Limits(Record):
    """The limits of one container: processor cores, MiB of memory, processes and threads."""

    cpus: Cpus
    memory: Memory
    pids: Pids

    def override(self, other: LimitsOverride | BrowserOverride | PlanOverride | None) -> Limits:
        """Return these limits with those that `other` overrides."""
        if other is None:
            return self
        return Limits.model_construct(
            cpus=self.cpus if other.cpus is None else other.cpus,
            memory=self.memory if other.memory is None else other.memory,
            pids=self.pids if other.pids is None else other.pids,
        )


class LimitsOverride(Record):
    """A customer's overrides of the plan's gateway limits."""

    cpus: Cpus | None = None
    memory: GatewayMemory | None = None
    pids: Pids | None = None


class BrowserOverride(Record):
    """Overrides of a plan's built-in browser limits."""

    cpus: Cpus | None = None
    memory: BrowserMemory | None = None
    pids: Pids | None = None


class PlanOverride(LimitsOverride):
    """A fleet's overrides of a built-in plan: limits of the gateway, of the browser, and the server."""

    browser: BrowserOverride | None = None
    server: ServerWish | None = None


class PlanOverrides(Record):
    """A fleet's overrides of the built-in plans."""

    free: PlanOverride = PlanOverride()
    pro: PlanOverride = PlanOverride()
    enterprise: PlanOverride = PlanOverride()

    def plan(self, name: PlanName) -> Plan:
        """Return the built-in plan of this name with the overrides."""
        return PLANS[name].override(getattr(self, name))


class Plan(Record):
    """What customers of a plan get.

    Customers of `dedicated` plans have their own server, the others share hosts.  `limits` are the gateway's,
    `browser_limits` the browser's, None if the plan has no browser.
    """

    name: PlanName
    dedicated: bool
    paying: bool
    limits: Limits
    browser_limits: Limits | None = None
    server: ServerWish | None = None

    @property
    def browser(self) -> bool:
        """Whether customers have a browser beside their gateway."""
        return self.browser_limits is not None

    def memory_with(self, limits: Limits) -> int:
        """Return the MiB that all containers of a customer with these gateway limits may use together."""
        return limits.memory + (self.browser_limits.memory if self.browser_limits else 0)

    def override(self, other: PlanOverride) -> Self:
        """Return this plan with a fleet's overrides."""
        return self.model_copy(
            update={
                "limits": self.limits.override(other),
                "browser_limits": self.browser_limits and self.browser_limits.override(other.browser),
                "server": other.server or self.server,
            }
        )


PLANS: dict[str, Plan] = {
    plan.name: plan
    for plan in (
        Plan(
            name="free",
            dedicated=False,
            paying=False,
            limits=Limits(cpus=1.0, memory=2048, pids=256),
        ),
        Plan(
            name="pro",
            dedicated=True,
            paying=True,
            limits=Limits(cpus=1.5, memory=3072, pids=512),
        ),
        Plan(
            name="enterprise",
            dedicated=True,
            paying=True,
            limits=Limits(cpus=2.0, memory=4096, pids=1024),
            browser_limits=Limits(cpus=1.5, memory=2048, pids=512),
            server=ServerWish(type="cx33"),
        ),
    )
}
"""The built-in plans.  Pro fits the smallest server (4 GiB); enterprise has a browser and needs 8 GiB."""


def fitting_type(location: str, memory: int, cpus: float) -> str | None:
    """Return the first server type at a location with this many MiB for customers and cores; None if none fits."""
    for name, server in SERVER_TYPES.items():
        if location in server.locations and server.memory - SYSTEM_MEMORY >= memory and server.cores >= cpus:
            return name
    return None
