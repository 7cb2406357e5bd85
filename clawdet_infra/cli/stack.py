"""What the commands know of a stack: its cloud, from its configuration, and its outputs."""

from __future__ import annotations

import os
from typing import Any

from clawdet_infra.cli.project import ROOT, CommandError, capture_json
from clawdet_infra.model import CloudAccess, ConfigurationError, Fleet, decode, load_fleet
from clawdet_infra.settings import NAMESPACE, TOKEN_VARIABLE, local_cloud


def fleet_of(stack: str) -> Fleet:
    """The fleet that a stack's configuration describes.  Raises CommandError with all that is wrong with it."""
    listed = capture_json(["pulumi", "config", "--show-secrets", "--json", "--stack", stack])
    # The engine leaves out the value of a key that it cannot show.
    config = {key: entry.get("value", "") for key, entry in listed.items()}
    raw = {
        key.removeprefix(f"{NAMESPACE}:"): decode(key.removeprefix(f"{NAMESPACE}:"), value)
        for key, value in config.items()
        if key.startswith(f"{NAMESPACE}:")
    }
    try:
        if isinstance(raw.get("cloud"), str) and raw["cloud"]:
            raw["cloud"] = local_cloud(ROOT / raw["cloud"])
        return load_fleet(raw, token=config.get("hcloud:token") or os.environ.get(TOKEN_VARIABLE))
    except ConfigurationError as error:
        raise CommandError(str(error)) from None


def cloud_of(stack: str) -> CloudAccess:
    """How the cloud of a stack is reached."""
    return fleet_of(stack).cloud


def outputs_of(stack: str) -> dict[str, Any]:
    """The outputs of a stack, secrets included."""
    outputs: dict[str, Any] = capture_json(["pulumi", "stack", "output", "--json", "--show-secrets", "--stack", stack])
    return outputs
