"""What the entries of a configuration claim, as far as each of them is right by itself.

Rules about several entries must also work where some of the entries have mistakes of their own; otherwise the reader
would mend one half of a file only to be told the other half.  So these rules judge `Claims`: of an entry with
mistakes they see the fields that are right, and `sound` says which.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from clawdet_infra.config.customer import Customer
from clawdet_infra.config.hosts import SharedHost
from clawdet_infra.config.networks import AnyNetwork
from clawdet_infra.config.plan import PlanOverrides
from clawdet_infra.config.problems import Problem, ProblemCode, Suggestion
from clawdet_infra.config.rollout import Rollout
from clawdet_infra.config.servers import ServerDefaults

R = TypeVar("R", Customer, SharedHost)


@dataclass(frozen=True)
class Entry(Generic[R]):
    """An entry of a list; `broken` has the fields (as in YAML) whose values are wrong and were put aside."""

    section: str
    position: int
    value: R
    broken: frozenset[str] = frozenset()

    def sound(self, *fields: str) -> bool:
        """Return whether all of these fields can be relied upon."""
        return self.broken.isdisjoint(fields)

    @property
    def path(self) -> str:
        """Where the entry is, such as `customers[2]`."""
        return f"{self.section}[{self.position}]"

    def named(self) -> str:
        """Name the entry in a sentence about another one."""
        return f"{self.value.id} ({self.path})" if self.sound("id") else self.path

    def problem(
        self,
        field: str,
        message: str,
        hint: str = "",
        suggestion: Suggestion | None = None,
        rival: Entry[Any] | None = None,
        *,
        code: ProblemCode = ProblemCode.INVALID,
        demand: int = 0,
    ) -> Problem:
        """Return a problem of one field of this entry.

        The field of a `suggestion` is one of this entry, by default that of the problem.  `rival` is the entry that has
        already what this one asks for.
        """
        customer = None
        if isinstance(self.value, Customer):
            customer = self.value.id if self.sound("id") else f"#{self.position + 1}"
        if suggestion is not None:
            suggestion = replace(suggestion, field=f"{self.path}.{suggestion.field or field}")
        return Problem(
            customer=customer,
            field=f"{self.path}.{field}",
            message=message,
            hint=hint,
            suggestion=suggestion,
            rival=rival.path if rival else None,
            code=code,
            demand=demand,
        )


@dataclass(frozen=True, kw_only=True)
class Claims:
    """The parts of a configuration; None stands for a part, or one of the SSH sources, that is wrong or missing.

    `local_cloud` says that the fleet is in a local cloud, whose servers have private addresses; `public_authority` that
    certificates come from the authorities that browsers trust.
    """

    domain: str | None
    acme_email: str | None
    local_cloud: bool
    public_authority: bool
    server: ServerDefaults | None
    ssh_sources: tuple[AnyNetwork | None, ...]
    ssh_open_to_world: bool
    rollout: Rollout | None
    plans: PlanOverrides | None
    hosts: tuple[Entry[SharedHost], ...] | None
    customers: tuple[Entry[Customer], ...]
