"""What the commands know of a stack: its cloud, from its configuration, and its outputs."""

from __future__ import annotations

from typing import Any

from clawdet_infra import inventory
from clawdet_infra.cli.project import CommandError
from clawdet_infra.inventory import InventoryError
from clawdet_infra.model import CloudAccess, Fleet


def fleet_of(stack: str) -> Fleet:
    """The fleet that a stack's configuration describes.  Raises CommandError with all that is wrong with it."""
    try:
        return inventory.fleet_of(stack)
    except InventoryError as error:
        raise CommandError(str(error)) from None


def cloud_of(stack: str) -> CloudAccess:
    """How the cloud of a stack is reached."""
    return fleet_of(stack).cloud


def outputs_of(stack: str) -> dict[str, Any]:
    """The outputs of a stack, secrets included."""
    try:
        return inventory.outputs_of(stack)
    except InventoryError as error:
        raise CommandError(str(error)) from None
