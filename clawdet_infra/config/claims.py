"""The valid parts of a configuration, as the input of rules about several entries.

These rules must also run if some entries are invalid; otherwise users would fix one half of a file and then get the
problems of the other half.  So they check `Claims`: an invalid entry keeps its valid fields, and `sound` says which.
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
    """An entry of a list; `broken` has the fields (as in YAML) with invalid values, which were removed."""

    section: str
    position: int
    value: R
    broken: frozenset[str] = frozenset()

    def sound(self, *fields: str) -> bool:
        """Return whether all of these fields are valid."""
        return self.broken.isdisjoint(fields)

    @property
    def path(self) -> str:
        """The entry's path, such as `customers[2]`."""
        return f"{self.section}[{self.position}]"

    def named(self) -> str:
        """Return the entry's name for a message about another entry."""
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

        The field of a `suggestion` is relative to this entry, by default that of the problem.  `rival` is the entry
        that this one conflicts with.
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
    """The parts of a configuration; None stands for an invalid or missing part or SSH source.

    `local_cloud` is whether the fleet is in a local cloud, whose servers have private addresses; `public_authority`
    whether certificates come from publicly trusted authorities.
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
