"""From the raw configuration to a fleet, or to the list of all that is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clawdet_infra.model.fleet import Fleet


def load_fleet(raw: Mapping[str, Any]) -> Fleet:
    """Return the fleet that a raw configuration (camelCase keys, no namespace) describes."""
    return Fleet.model_validate(dict(raw), by_alias=True, by_name=False)


def dump_fleet(fleet: Fleet) -> dict[str, Any]:
    """Return the raw configuration of a fleet, secrets in plain text; `load_fleet` makes the same fleet of it."""
    raise NotImplementedError
