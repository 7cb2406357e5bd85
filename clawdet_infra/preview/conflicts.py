"""What the provider, or sense, would refuse of an update, said before anything is touched.

The provider's plugin switches a server off before it asks for another type, and leaves it off where Hetzner refuses.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from clawdet_infra.checks.finding import Finding
from clawdet_infra.config import misfit_of_type
from clawdet_infra.engine.owners import Owner, Owners, name_of, type_of
from clawdet_infra.preview.field_changes import host_name, inputs, shown, summary_of
from clawdet_infra.resources import RECORD_SET, REMOTE_COMMAND, SERVER, STACK

Step = Mapping[str, Any]


def refusals(steps: Iterable[Step]) -> list[Finding]:
    """Return what of the steps of a preview could not be done, or must not be."""
    # The stack itself is nobody's.
    steps = [step for step in steps if type_of(step["urn"]) != STACK]
    owners = Owners(steps)
    return [*_types(steps, owners), *_taken_servers(steps, owners), *_taken_names(steps, owners)]


def _types(steps: Sequence[Step], owners: Owners) -> Iterator[Finding]:
    """Yield servers whose new type Hetzner would refuse."""
    for step in steps:
        if type_of(step["urn"]) != SERVER or step["op"] != "update":
            continue
        before = (step.get("oldState") or {}).get("outputs") or {}
        old, new = before.get("serverType"), inputs(step, "newState").get("serverType")
        disk = before.get("primaryDiskSize")
        if not isinstance(old, str) or not isinstance(new, str) or not isinstance(disk, int | float):
            continue
        if why := misfit_of_type(old, new, int(disk)):
            yield Finding(
                rule="server_type",
                message=f"{name_of(step['urn'])} cannot become a {new}: {why}",
                hint="Take the change back.",
                concerns=(str(owners.of(step["urn"])),),
            )


def _taken_servers(steps: Sequence[Step], owners: Owners) -> Iterator[Finding]:
    """Yield customers whose existing server is a server of this stack."""
    by_owner: dict[Owner, list[Step]] = defaultdict(list)
    servers: dict[str, Step] = {}
    for step in steps:
        by_owner[owners.of(step["urn"])].append(step)
        address = ((step.get("oldState") or {}).get("outputs") or {}).get("ipv4Address")
        if type_of(step["urn"]) == SERVER and step["op"] != "delete" and isinstance(address, str):
            servers[address] = step
    for owner, its in by_owner.items():
        if owner.kind != "customer" or any(type_of(step["urn"]) == SERVER for step in its):
            continue
        plans = {
            summary_of(inputs(step, "newState")).get("plan") for step in its if type_of(step["urn"]) == REMOTE_COMMAND
        }
        if plans <= {"free", None}:
            continue
        for address in _addresses(its):
            if address in servers:
                yield Finding(
                    rule="existing_server",
                    message=f"{address} is {name_of(servers[address]['urn'])}, a server of this fleet.",
                    hint="Write the address of a server of the customer's own as `existingServer`.",
                    concerns=(str(owner),),
                )


def _taken_names(steps: Sequence[Step], owners: Owners) -> Iterator[Finding]:
    """Yield customers whose name is still that of a record which goes later in the same update.

    That is so only where the other record was last updated before December 2026.  It has a resource of its customer's
    name, and the engine cannot see that the two are one.
    """
    records = [step for step in steps if type_of(step["urn"]) == RECORD_SET]
    going = {_name_in_zone(step, "oldState"): step for step in records if step["op"] in ("replace", "delete")}
    for step in records:
        holder = going.get(_name_in_zone(step, "newState"))
        if step["op"] in ("create", "replace") and holder is not None and holder["urn"] != step["urn"]:
            yield Finding(
                rule="name_taken",
                message=f"{host_name(step)} is still that of {owners.of(holder['urn'])}, in a form that an older "
                "release left.",
                hint="First update without this change, which brings the present form. Then make it.",
                concerns=(str(owners.of(step["urn"])),),
            )


def _name_in_zone(step: Step, which: str) -> tuple[str, ...]:
    state = inputs(step, which)
    return tuple(shown(state.get(key)) for key in ("zone", "name", "type"))


def _addresses(steps: Sequence[Step]) -> list[str]:
    """Return where the A records of a customer are to lead."""
    found: list[str] = []
    for step in steps:
        record_set = inputs(step, "newState")
        if type_of(step["urn"]) == RECORD_SET and record_set.get("type") == "A":
            values = record_set.get("records")
            found += [one["value"] for one in values or () if isinstance(one, Mapping) and "value" in one]
    return found
