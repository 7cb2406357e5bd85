"""What `pulumi stack export` prints: the resources of a stack, and the values of their secrets."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

Resource = Mapping[str, Any]

SECRET_MARK = "4dabf18193072939515e22adb298388d"  # noqa: S105 -- the key of a mapping that stands for a secret
"""See `pulumi/sdk/go/common/resource/sig.go`."""


def resources_of_state(exported: Mapping[str, Any]) -> Sequence[Resource]:
    """Return all resources of an exported state; a stack that was never updated has no deployment, or an empty one."""
    return (exported.get("deployment") or {}).get("resources") or []


def is_secret(value: Any) -> bool:
    """Return whether a value of a resource stands for a secret."""
    return isinstance(value, Mapping) and SECRET_MARK in value


def opened(value: Any) -> Any:
    """Return a value of a resource with its secrets, as `pulumi stack export --show-secrets` prints them.

    Raises KeyError for a secret that is encrypted.
    """
    if is_secret(value):
        return opened(json.loads(value["plaintext"]))
    if isinstance(value, Mapping):
        return {key: opened(one) for key, one in value.items()}
    if isinstance(value, list):
        return [opened(one) for one in value]
    return value
