"""The table of a stack's customers: where each answers, and whether it does."""

from __future__ import annotations

from clawdet_infra.cli.health_round import Checker
from clawdet_infra.cli.output import print_table
from clawdet_infra.cli.project import CommandError
from clawdet_infra.inventory import InventoryError
from clawdet_infra.inventory.observation import Condition, Observation


def show(stack: str) -> bool:
    """Look at all customers of a stack and print the table; True where none of them is down.

    Raises CommandError where the stack cannot be read.
    """
    checker = Checker([stack], [])
    try:
        seen = {one.instance: one for one in checker.look().observations}
    except InventoryError as error:
        raise CommandError(str(error)) from None
    rows = [("CUSTOMER", "PLAN", "SERVER", "ADDRESS", "URL", "HEALTH")]
    for identity, instance in checker.instances.items():
        rows.append(
            (
                identity,
                instance.plan,
                instance.server.name,
                str(instance.server.ipv4),
                instance.url,
                _health(seen.get(identity)),
            )
        )
    print_table(rows)
    return len(seen) == len(checker.instances) and all(one.condition is not Condition.DOWN for one in seen.values())


def _health(one: Observation | None) -> str:
    if one is None:
        return "not looked at in time"
    return f"down: {one.diagnosis.sentence}" if one.diagnosis else one.condition.value
