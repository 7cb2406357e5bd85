"""The layout of the fleet: each customer's names, server and rollout wave.

It is pure, and each customer's layout depends only on that customer's entry and on the fleet's settings, never on
other customers.  So adding, removing or reordering customers changes nothing for the rest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

from clawdet_infra.config import (
    SERVER_ROOT,
    Customer,
    Fleet,
    Limits,
    Plan,
    Release,
    ServerPlan,
    SharedHost,
    decide_server,
    slug_of,
)
from clawdet_infra.config.servers import EDGE_PROJECT
from clawdet_infra.resources import CELL_LABEL, DEPLOYMENT_ENDING, FLEET_LABEL, ID_LABEL, PLAN_LABEL, ROLE_LABEL

LONGEST_LABEL_VALUE = 63
RECORD_TTL_SECONDS = 300
"""How long a resolver may cache an address."""


@dataclass(frozen=True, kw_only=True)
class CustomerLayout:
    """The layout of one customer.

    `slug` is the Compose project; `server_name` the server, for a free customer the shared host; `images` include the
    fleet's image prefix; `server` is the rented server, None for customers on shared hosts and on existing servers;
    `host_id` is the shared host, None for other customers; `wave` counts from 0; `user` is the user name of basic auth;
    `protect` is whether resources with the customer's data are protected from deletion; `browser_limits` is None if the
    plan has no browser.
    """

    customer: Customer
    plan: Plan
    limits: Limits
    browser_limits: Limits | None
    images: Release
    fqdn: str
    url: str
    slug: str
    server_name: str
    server: ServerPlan | None
    labels: Mapping[str, str]
    host_id: str | None
    directory: str
    wave: int
    user: str
    protect: bool

    @property
    def id(self) -> str:
        """The customer's id, the prefix of the names of its resources in Pulumi."""
        return self.customer.id

    @property
    def deployment(self) -> str:
        """The name of the deployment's resource.

        On a server that outlives the customer, the name includes the server, after a character that ids cannot contain.
        So a move to another server is a new resource, and the engine deletes the old one together with the deployment
        on the old server.  With one name it would only update the address, and forget the old server.
        """
        return f"{self.old_deployment}@{self.place}" if self.place else self.old_deployment

    @property
    def old_deployment(self) -> str:
        """The value of `deployment` for all customers until November 2026."""
        return f"{self.id}{DEPLOYMENT_ENDING}"

    @property
    def place(self) -> str | None:
        """The identity of a server that outlives the customer: a shared host's id, or an existing server's key digest.

        None for a server that is rented for this customer, and deleted with it.
        """
        if self.customer.existing_server is not None and self.plan.dedicated:
            # An address may change; the host key without its comment identifies the server.
            key = " ".join(self.customer.existing_server.host_key.split()[:2])
            return f"existing-{hashlib.sha256(key.encode()).hexdigest()[:8]}"
        return self.host_id

    @property
    def record(self) -> str:
        """The name of the DNS record's resource, derived from the host name instead of the customer.

        So a name that passes from one customer to another stays one resource, which is updated in place: the cloud
        allows one record set per name and type, and refuses a second before the first is deleted.
        """
        return f"{self.fqdn}/A"

    @property
    def subdomain(self) -> str:
        """The name of the customer's DNS records in the fleet's zone."""
        return self.customer.name


@dataclass(frozen=True, kw_only=True)
class HostLayout:
    """A server that free customers share.  It does not depend on its tenants, so they never change it."""

    host: SharedHost
    server_name: str
    server: ServerPlan
    labels: Mapping[str, str]
    images: Release
    directory: str
    project: str
    protect: bool

    @property
    def id(self) -> str:
        """The host's id."""
        return self.host.id


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The layout of the whole fleet; customers and hosts are sorted by id, independent of the file's order."""

    fleet: Fleet
    customers: tuple[CustomerLayout, ...]
    shared_hosts: tuple[HostLayout, ...]
    label: str
    """The label value that distinguishes this fleet's resources from others in the same Hetzner project."""
    server_selector: str
    """The label selector that matches exactly this fleet's servers; the firewall applies to it."""

    @property
    def waves(self) -> tuple[tuple[CustomerLayout, ...], ...]:
        """The customers by rollout wave, from the first to the last, without empty waves."""
        numbers = sorted({customer.wave for customer in self.customers})
        return tuple(tuple(one for one in self.customers if one.wave == number) for number in numbers)

    def tenants(self, host_id: str) -> tuple[CustomerLayout, ...]:
        """Return the customers of a shared host."""
        return tuple(customer for customer in self.customers if customer.host_id == host_id)


def deployed_customer(name: str) -> str | None:
    """Return the customer id in the name of a deployment's resource; None for names of other resources."""
    deployment = name.partition("@")[0]
    return deployment.removesuffix(DEPLOYMENT_ENDING) if deployment.endswith(DEPLOYMENT_ENDING) else None


def plan_layout(fleet: Fleet, *, label: str | None = None, cell: str | None = None) -> Layout:
    """Return the layout of each customer and each shared host of a fleet.

    `label` is for a second fleet of the same domain; by default the domain distinguishes fleets.  `cell` is the stack
    of customers that share another stack's base: their servers belong to the same fleet, and also have the cell's
    label.
    """
    label = label or fleet_label(fleet.domain)
    images = fleet.release.behind(fleet.cloud.image_prefix)
    plans = {name: fleet.plan(name) for name in ("free", "pro", "enterprise")}
    customers = (_customer(fleet, label, customer, plans[customer.plan], images, cell) for customer in fleet.customers)
    hosts = (_host(fleet, label, host, images) for host in fleet.shared_hosts)
    return Layout(
        fleet=fleet,
        customers=tuple(sorted(customers, key=lambda customer: customer.id)),
        shared_hosts=tuple(sorted(hosts, key=lambda host: host.id)),
        label=label,
        server_selector=f"{FLEET_LABEL}={label}",
    )


def _customer(
    fleet: Fleet, label: str, customer: Customer, plan: Plan, images: Release, cell: str | None
) -> CustomerLayout:
    slug = slug_of(customer.id)
    fqdn = f"{customer.name}.{fleet.domain}"
    host_id = None if plan.dedicated else customer.host or fleet.shared_hosts[0].id
    protect = fleet.protect and plan.paying if customer.protect is None else customer.protect
    if customer.release is not None:
        images = fleet.release.override(customer.release).behind(fleet.cloud.image_prefix)
    rents = plan.dedicated and customer.existing_server is None
    labels = _labels(label, "customer", customer.id) | {PLAN_LABEL: plan.name}
    return CustomerLayout(
        customer=customer,
        plan=plan,
        limits=plan.limits.override(customer.limits),
        browser_limits=plan.browser_limits,
        images=images,
        fqdn=fqdn,
        url=f"https://{fqdn}",
        slug=slug,
        server_name=slug_of(host_id) if host_id else slug,
        server=decide_server(fleet.server, plan.server, customer.server) if rents else None,
        labels=labels | {CELL_LABEL: cell} if cell else labels,
        host_id=host_id,
        directory=f"{SERVER_ROOT}/{slug}",
        wave=wave_of(customer, fleet.rollout.waves),
        user=slug,
        protect=protect,
    )


def _host(fleet: Fleet, label: str, host: SharedHost, images: Release) -> HostLayout:
    return HostLayout(
        host=host,
        server_name=slug_of(host.id),
        server=ServerPlan(image=fleet.server.image, type=host.type, location=host.location),
        labels=_labels(label, "shared-host", host.id),
        images=images,
        directory=f"{SERVER_ROOT}/{EDGE_PROJECT}",
        project=EDGE_PROJECT,
        protect=fleet.protect,
    )


def wave_of(customer: Customer, waves: tuple[int, ...]) -> int:
    """Return the rollout wave of a customer: the configured one, else one chosen by a hash of its id.

    The hash makes the choice stable: it is the same on every machine and independent of other customers.  `waves` are
    percentages that sum to 100.
    """
    if customer.wave is not None:
        return customer.wave
    draw = int.from_bytes(hashlib.sha256(customer.id.encode()).digest()[:8], "big") % 100
    return next(number for number, end in enumerate(accumulate(waves)) if draw < end)


def fleet_label(domain: str) -> str:
    """Return the value of the label of a fleet's servers: its domain, shortened if it is too long for a label."""
    if len(domain) <= LONGEST_LABEL_VALUE:
        return domain
    return f"{domain[:46].rstrip('.-')}-{hashlib.sha256(domain.encode()).hexdigest()[:16]}"


def _labels(label: str, role: str, name: str) -> dict[str, str]:
    return {FLEET_LABEL: label, ROLE_LABEL: role, ID_LABEL: name}
