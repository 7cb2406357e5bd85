"""Whether a customer can be had: held against the base's list and all who signed up, before anything is touched."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from clawdet_infra.automation.base import Base
from clawdet_infra.automation.errors import AutomationError, ImmutableError, InputError, SetupError, TakenError
from clawdet_infra.catalog import Record, Related
from clawdet_infra.config import PLANS, ConfigurationError, Problem, ProblemCode, dump_fleet, slug_of

_POSITION = re.compile(r"^customers\[\d+\]\.")
_PLACE = re.compile(r" \(customers\[\d+\]\)")


def check_of(base: Base) -> Callable[[Related, Record], Record]:
    """Return what judges a record among the related ones, and fills in the shared host of a free customer."""

    def check(related: Related, record: Record) -> Record:
        if related.before is not None:
            refuse_immutable(related.before, record)
        placed = _placed(base, related, record)
        _refuse_host_that_is_not_up(base, placed)
        identity = str(record["id"])
        try:
            base.fleet_with([*related, placed], listed=True)
        except ConfigurationError as error:
            position = len(base.fleet.customers) + len(related)
            if new := _new_ones(base, related, error.problems):
                raise _refusal(identity, new, position) from None
        return placed

    return check


def refuse_immutable(before: Record, record: Record) -> None:
    """Raise ImmutableError where a change would move a customer to another server, away from its data."""
    identity = str(record["id"])

    def was(field: str, old: Any, new: Any) -> None:
        if old != new:
            raise ImmutableError(
                f"customer {identity}: {field} cannot change from {old} to {new}, because the data stays on the old "
                "server. Deprovision the customer, and provision it anew.",
                identity,
            )

    def shared(one: Record) -> bool:
        plan = PLANS.get(str(one["plan"]))
        return plan is not None and not plan.dedicated

    if shared(before) != shared(record):
        was("plan", before["plan"], record["plan"])
    was("existingServer", _address(before), _address(record))
    was("server.location", _location(before), _location(record))
    if record.get("host") is not None:
        was("host", before.get("host"), record.get("host"))


def _address(record: Record) -> str:
    return str(_part(record, "existingServer").get("ipv4", "a rented one"))


def _location(record: Record) -> str:
    return str(_part(record, "server").get("location", "the usual one"))


def _part(record: Record, key: str) -> Mapping[str, Any]:
    """Return a mapping within a record; what is no mapping is refused by the model, and has nothing to compare."""
    value = record.get(key)
    return value if isinstance(value, Mapping) else {}


def _placed(base: Base, related: Sequence[Record], record: Record) -> Record:
    """Return the record of a free customer with its host: the one it has, else the emptiest that has room."""
    if record.get("plan") != "free" or record.get("host") is not None or not base.fleet.shared_hosts:
        return record
    before = getattr(related, "before", None)
    if before is not None and before.get("host"):
        return {**record, "host": before["host"]}
    listed = [one.get("host") or base.fleet.shared_hosts[0].id for one in _free(dump_fleet(base.fleet)["customers"])]
    taken = [*listed, *(one.get("host") for one in _free(related))]
    identity = str(record["id"])
    up = [host for host in base.fleet.shared_hosts if _is_up(base, host.id)]
    room = {host.id: host.capacity - taken.count(host.id) for host in up}
    for host in sorted(room, key=lambda one: -room[one]):
        placed = {**record, "host": host}
        try:
            base.fleet_with([*related, placed], listed=True)
        except ConfigurationError as error:
            # What is wrong with the customer itself is told by the caller.
            if room[host] > 0 and not any(one.code is ProblemCode.NO_ROOM for one in error.problems):
                return placed
            continue
        return placed
    raise InputError(
        f"customer {identity}: all shared hosts are full. Add one under `sharedHosts` of stack {base.name}, and "
        f"bring it up with `clawdet up -s {base.name}`.",
        identity,
    )


def _refuse_host_that_is_not_up(base: Base, record: Record) -> None:
    """Raise SetupError where a free customer's host is in the base's file and not in what its stack brought up."""
    host = record.get("host")
    if any(one.id == host for one in base.fleet.shared_hosts) and not _is_up(base, str(host)):
        raise SetupError(
            f"customer {record['id']}: the shared host {host} is not up. Bring it up with `clawdet up -s {base.name}`.",
            str(record["id"]),
        )


def _is_up(base: Base, host: str) -> bool:
    return slug_of(host) in base.outputs["base"]["hosts"]


def _free(records: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [one for one in records if one.get("plan") == "free"]


def _new_ones(base: Base, related: Related, problems: Sequence[Problem]) -> list[Problem]:
    """Return those of some problems that are there because of the newcomer.

    The list may be empty: a customer who signed up may clash with one of the base's list, and both stacks can still be
    updated, so other signups are accepted.  Raises SetupError if the customers who signed up do not fit the settings
    even without the list, because then no cell can be updated.
    """
    before = _problems(base, related, listed=True)
    new = [one for one in problems if _key(one) not in {_key(old) for old in before}]
    if not new and (wrong := _problems(base, related, listed=False)):
        told = "; ".join(_told(one) for one in wrong)
        raise SetupError(f"the settings of stack {base.name} do not fit those who signed up before: {told}")
    return new


def _problems(base: Base, records: Sequence[Record], *, listed: bool) -> Sequence[Problem]:
    try:
        base.fleet_with(list(records), listed=listed)
    except ConfigurationError as error:
        return error.problems
    return ()


def _key(problem: Problem) -> tuple[str | None, str, ProblemCode, str | None, int]:
    """Return what identifies a problem.  A shared host that would need more than before has a new one."""
    return problem.customer, problem.field, problem.code, problem.rival, problem.demand


def _refusal(identity: str, problems: Sequence[Problem], position: int) -> AutomationError:
    own = (identity, f"#{position + 1}")
    mine = [one for one in problems if one.customer in own]
    kind = TakenError if any(one.rival is not None for one in mine or problems) else InputError
    about = [_without_position(one) for one in mine] or problems
    return kind(f"customer {identity}: {'; '.join(_told(one) for one in about)}", identity, about)


def _without_position(problem: Problem) -> Problem:
    """Return a problem of a caller's customer, by its field alone: the caller has no list with positions."""
    suggestion = problem.suggestion
    if suggestion is not None:
        own = _POSITION.match(problem.field)
        # What would have to be changed elsewhere is not the caller's to change.
        inside = own is not None and suggestion.field.startswith(own[0])
        suggestion = replace(suggestion, field=_POSITION.sub("", suggestion.field)) if inside else None
    return replace(problem, field=_POSITION.sub("", problem.field), suggestion=suggestion, rival=None)


def _told(problem: Problem) -> str:
    """Return a problem in the caller's words."""
    field = _POSITION.sub(f"{problem.customer}'s ", problem.field)
    message = _PLACE.sub("", problem.message)
    return f"{field} {message} {problem.advice}".strip()
