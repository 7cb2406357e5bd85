"""Former URNs of resources, as aliases: until December 2026 several had their own component.

With an alias the engine adopts the existing resource instead of replacing it.  Delete this module when no stack was
last updated by a release of that time.
"""

from __future__ import annotations

import pulumi


def former_urns(kind: str, *names: str, within: str) -> list[pulumi.Input[str | pulumi.Alias]]:
    """Return the former URNs of a resource of a type; `within` has the types of its parents, separated by `$`."""
    stack = f"urn:pulumi:{pulumi.get_stack()}::{pulumi.get_project()}"
    return [f"{stack}::{within}${kind}::{name}" for name in names]
