"""The fleet: everything that one stack declares."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from clawdet_infra.model.access import CloudAccess, SshAccess
from clawdet_infra.model.base import Listed, NonEmpty, Record
from clawdet_infra.model.customer import Customer
from clawdet_infra.model.images import Release
from clawdet_infra.model.names import CustomerId, DomainName, Email
from clawdet_infra.model.plan import PLANS, Limits, Plan, PlanOverrides
from clawdet_infra.model.servers import LocationName, ServerDefaults, ServerTypeName


class Rollout(Record):
    """How a change goes through the fleet: the percentage of customers in each wave, from the first to the last."""

    waves: NonEmpty[int]


class SharedHost(Record):
    """A server that several free customers share; `capacity` is the most customers that it may hold."""

    id: CustomerId
    type: ServerTypeName
    location: LocationName
    capacity: Annotated[int, Field(ge=1, le=200)]


class Fleet(Record):
    """A validated configuration.  Build one with `load_fleet`, which tells all problems at once."""

    domain: DomainName
    zone: Literal["manage", "existing"] = "manage"
    cloud: CloudAccess
    acme_email: Email
    release: Release
    server: ServerDefaults
    ssh: SshAccess
    rollout: Rollout = Rollout(waves=(5, 20, 75))
    shared_hosts: Listed[SharedHost] = ()
    plans: PlanOverrides = PlanOverrides()
    customers: Listed[Customer] = ()
    protect: bool = True

    def plan(self, name: str) -> Plan:
        """Return a plan as this fleet has it: the built-in one with the fleet's changes."""
        return PLANS[name].override(getattr(self.plans, name))

    def limits(self, customer: Customer) -> Limits:
        """Return the limits of a customer's gateway: the plan's, with the customer's own changes."""
        return self.plan(customer.plan).limits.override(customer.limits)
