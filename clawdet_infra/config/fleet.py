"""The fleet: the whole configuration of one stack."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import model_validator

from clawdet_infra.config.access import CloudAccess, SshAccess
from clawdet_infra.config.base import Listed, Record, Truth, one_of
from clawdet_infra.config.claims import Claims, Entry
from clawdet_infra.config.customer import Customer
from clawdet_infra.config.hosts import SharedHost
from clawdet_infra.config.images import Release
from clawdet_infra.config.names import DomainName, Email
from clawdet_infra.config.plan import Limits, Plan, PlanName, PlanOverrides
from clawdet_infra.config.problems import ConfigurationError
from clawdet_infra.config.rollout import Rollout
from clawdet_infra.config.rules import broken_rules
from clawdet_infra.config.servers import ServerDefaults

Zone = Annotated[Literal["manage", "existing"], one_of("zone mode", "manage", "existing")]


class Fleet(Record):
    """A validated configuration.

    Build one with `load_fleet`, which reports all problems at once.  The constructor checks the same rules; it raises
    pydantic's ValidationError for problems of one value and ConfigurationError for rules about several.
    """

    domain: DomainName
    zone: Zone = "manage"
    cloud: CloudAccess
    acme_email: Email
    release: Release
    server: ServerDefaults = ServerDefaults(type="cx23", location="fsn1")
    ssh: SshAccess
    rollout: Rollout = Rollout(waves=(5, 20, 75))
    shared_hosts: Listed[SharedHost] = ()
    plans: PlanOverrides = PlanOverrides()
    customers: Listed[Customer]
    protect: Truth = True

    @model_validator(mode="after")
    def _hold_together(self) -> Fleet:
        problems = broken_rules(
            Claims(
                domain=self.domain,
                local_cloud=self.cloud.is_local,
                acme_email=self.acme_email,
                public_authority=self.cloud.public_authority,
                server=self.server,
                ssh_sources=self.ssh.sources,
                ssh_open_to_world=self.ssh.open_to_world,
                rollout=self.rollout,
                plans=self.plans,
                hosts=tuple(Entry("sharedHosts", position, host) for position, host in enumerate(self.shared_hosts)),
                customers=tuple(Entry("customers", position, one) for position, one in enumerate(self.customers)),
            )
        )
        if problems:
            raise ConfigurationError(problems)
        return self

    def plan(self, name: PlanName) -> Plan:
        """Return the built-in plan with this fleet's overrides."""
        return self.plans.plan(name)

    def limits(self, customer: Customer) -> Limits:
        """Return the limits of a customer's gateway: the plan's, with the customer's overrides."""
        return self.plan(customer.plan).limits.override(customer.limits)
