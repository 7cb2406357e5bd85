"""Brings the catalog to what the stacks say, where they were changed without it; or makes it anew from them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from clawdet_infra.automation.base import Base
from clawdet_infra.automation.errors import SetupError
from clawdet_infra.catalog import Catalog, Phase, cell_number
from clawdet_infra.engine.versions import versions
from clawdet_infra.inventory import InventoryError, last_update_succeeded, outputs_of

# Each engine is a process that decrypts with a key made by a million rounds: more at once are not faster.
_MOST_ENGINES = 4


def refresh(registry: Catalog, base: str, root: Path) -> list[str]:
    """Read those stacks again that have changed since they were read last; return the clashes between stacks."""
    found = {stack: str(version) for stack, version in _stacks(base, root).items()}
    known = {one.stack: one.synced_version for one in registry.cells(base)}
    # A later successful update, by any command, ends all failures of the base.
    over = base in found and bool(_failed(registry, base)) and _succeeded(base, root)
    changed = [stack for stack, version in found.items() if known.get(stack) != version or (over and stack == base)]
    clashes: list[str] = []
    for stack, outputs in _outputs(changed, root).items():
        told = registry.mirror(base, stack, found[stack], facts_of(outputs), {} if over else None)
        # An update that ended since the outputs were read has changed the catalog too.
        if told and str(versions(root).get(stack)) == found[stack]:
            clashes += told
    return clashes


def note_update(
    registry: Catalog, base: str, root: Path, failed: Mapping[str, Mapping[str, str]], untouched: Collection[str]
) -> list[str]:
    """Keep whose update of a base stack has failed: `error`, `plan` and `subdomain` by id; return the clashes.

    `untouched` are the customers of the stack's file whom the update did not change: who of them had failed before
    still has.
    """
    kept = {name: one for name, one in _failed(registry, base).items() if name in untouched}
    version = str(_stacks(base, root)[base])
    outputs = _outputs([base], root)[base]
    return registry.mirror(base, base, version, facts_of(outputs), {**kept, **failed})


def _failed(registry: Catalog, base: str) -> dict[str, dict[str, str]]:
    """Return the customers of a base stack's file whose last update failed."""
    rows = (one for one in registry.instances(base) if one.cell == base and one.phase == Phase.FAILED)
    return {one.id: {"error": one.error, "plan": one.plan, "subdomain": one.subdomain} for one in rows}


def _succeeded(stack: str, root: Path) -> bool:
    try:
        return last_update_succeeded(stack, root)
    except InventoryError as error:
        raise SetupError(f"{error}.") from None


def rebuild(registry: Catalog, base: Base, root: Path) -> list[str]:
    """Rebuild the entries of all cells from their exports, mirror all stacks, and return the clashes."""
    clashes: list[str] = []
    found = {stack: str(version) for stack, version in _stacks(base.name, root).items()}
    for stack, outputs in _outputs(list(found), root).items():
        if stack != base.name:
            clashes += registry.restore(base.name, stack, outputs.get("records") or {}, base.seal)
        clashes += registry.mirror(base.name, stack, found[stack], facts_of(outputs))
    return list(dict.fromkeys(clashes))


def _stacks(base: str, root: Path) -> dict[str, Any]:
    try:
        known = versions(root)
    except InventoryError as error:
        raise SetupError(f"{error}.") from None
    return {name: one for name, one in known.items() if name == base or cell_number(base, name) is not None}


def _outputs(stacks: list[str], root: Path) -> dict[str, Mapping[str, Any]]:
    try:
        with ThreadPoolExecutor(_MOST_ENGINES) as threads:
            return dict(zip(stacks, threads.map(lambda one: outputs_of(one, root), stacks), strict=True))
    except InventoryError as error:
        raise SetupError(f"{error}.") from None


def facts_of(outputs: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return what a stack exports of its customers, as the catalog keeps it.

    Only a base stack says what its domain is; the customers of another have the subdomain "", which is unknown.
    """
    domain = (outputs.get("base") or {}).get("zone")
    return {
        name: {
            "url": one["url"],
            "ipv4": one["ipv4"],
            "server": one["host"],
            "image": one["image"],
            "user": one["user"],
            "plan": one["plan"],
            "host": one["host"] if one["plan"] == "free" else "",
            # A subdomain may have dots, so that it ends where the domain begins, and nowhere else.
            "subdomain": one["url"].removeprefix("https://").removesuffix(f".{domain}") if domain else "",
        }
        for name, one in (outputs.get("customers") or {}).items()
    }
