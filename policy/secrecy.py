"""Policies of secrets: none in user data, labels, or the text of commands, which others can read."""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from clawdet_infra.config.secrets import derived_password
from clawdet_infra.resources import PASSWORD, SERVER
from clawdet_infra.secret_shapes import kinds_of_secrets
from policy.deployments import secrets_of
from policy.resources import Resource, of_each, of_stack

# libyaml's loader if PyYAML has it; it is about ten times as fast.  Both are safe loaders.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NO_WRAP = 2**30
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
# Shorter values are not secrets, and would match everywhere.
_SHORTEST_SECRET = 12
_COMMAND_TEXTS = ("create", "update", "delete", "environment", "triggers")
_ELSEWHERE = "Send secrets by the deployment's stdin; see docs/adr/0004-send-secrets-by-stdin.md."


def shapes_of_secrets(resource: Resource) -> Iterator[str]:
    """Nothing that others can read looks like a secret; user data with the SSH host key is a secret output."""
    for where, text in _seen(resource):
        for kind in kinds_of_secrets(text):
            yield (
                f"{resource.place}: {where} contains what looks like {kind} (the value is not shown). "
                f"Remove it. {_ELSEWHERE}"
            )
    if resource.kind == SERVER and "userData" in resource.properties and "userData" not in resource.secret_outputs:
        yield (
            f"{resource.place}: `userData`, which contains the SSH host key, would be readable in the state. "
            "Add it to `additional_secret_outputs` of the server."
        )


def values_of_secrets(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    """Nothing that others can read contains one of the fleet's secrets."""
    secrets = _secrets(resources)
    for resource in resources:
        for where, text in _seen(resource):
            for owner in sorted({owner for secret, owner in secrets.items() if secret in text}):
                yield (
                    resource,
                    f"{resource.place}: {where} contains a secret of {owner} (the value is not shown). "
                    f"Remove it, and rotate the secret. {_ELSEWHERE}",
                )


def _seen(resource: Resource) -> Iterator[tuple[str, str]]:
    """Yield the parts of a resource that others can read, each with its place."""
    if resource.kind.startswith("hcloud:"):
        for key, value in resource.labels.items():
            yield f"the label {key!a}", f"{key}\n{value}"
    if resource.kind == SERVER and isinstance(user_data := resource.properties.get("userData"), str):
        yield "`userData`", without_host_key(user_data)
    if resource.kind.startswith("command:"):
        for key in _COMMAND_TEXTS:
            if given := resource.properties.get(key):
                yield f"`{key}`", given if isinstance(given, str) else json.dumps(given)


def without_host_key(user_data: str) -> str:
    """Return user data without the SSH host keys, the only secret that it may contain."""
    user_data = _unpacked(user_data)
    try:
        content = yaml.load(user_data, _LOADER) if user_data.startswith("#cloud-config") else None  # noqa: S506
    except (yaml.YAMLError, ValueError):  # A ValueError is for an invalid date or number.
        content = None
    keys = content.get("ssh_keys") if isinstance(content, Mapping) else None
    if not isinstance(content, Mapping) or not isinstance(keys, Mapping):
        return user_data
    rest: dict[str, Any] = {key: value for key, value in keys.items() if not str(key).endswith("_private")}
    return str(yaml.dump({**content, "ssh_keys": rest}, Dumper=_DUMPER, width=_NO_WRAP))


def _unpacked(user_data: str) -> str:
    """Return user data decoded from gzip and base64, as cloud-init does; other user data unchanged."""
    try:
        return gzip.decompress(base64.b64decode(user_data, validate=True)).decode()
    except (binascii.Error, ValueError, OSError, EOFError, zlib.error):
        return user_data


def _secrets(resources: Sequence[Resource]) -> dict[str, str]:
    """Return all known secrets of the stack, each with the owner in words."""
    found: dict[str, str] = {}
    for resource in resources:
        if resource.kind == PASSWORD and isinstance(value := resource.properties.get("result"), str):
            found |= {value: resource.name, derived_password(value): resource.name}
        if isinstance(token := resource.provider.get("token"), str):
            found[token] = "the provider"
        found |= secrets_of(resource)
    return {secret: owner for secret, owner in found.items() if len(secret) >= _SHORTEST_SECRET}


SHAPES = of_each(
    "no-secrets-in-user-data-or-labels",
    "Nothing that looks like a secret is in user data, labels or the text of commands.",
    ("hcloud:", "command:"),
    shapes_of_secrets,
)
VALUES = of_stack(
    "no-secrets-of-the-fleet-in-sight",
    "None of the fleet's own secrets is in user data, labels or the text of commands.",
    values_of_secrets,
)
