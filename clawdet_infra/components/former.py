"""What resources were called until December 2026, when several were in a component of their own.

The engine takes a resource for the one that its state has under such a name, and replaces nothing.  May be deleted when
no stack was last updated by a release of that time.
"""

from __future__ import annotations

import pulumi


def former_urns(kind: str, *names: str, within: str) -> list[pulumi.Input[str | pulumi.Alias]]:
    """Return the URNs that a resource of a type had; `within` are the types around it, with `$` between them."""
    stack = f"urn:pulumi:{pulumi.get_stack()}::{pulumi.get_project()}"
    return [f"{stack}::{within}${kind}::{name}" for name in names]
