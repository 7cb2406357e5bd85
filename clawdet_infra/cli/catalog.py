"""What commands share that ask the catalog: its customers, and how an error of the library ends a command."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

from clawdet_infra.cli.output import ErrorCode, Exit, fail, warn
from clawdet_infra.cli.project import ROOT
from clawdet_infra.cli.stack import choose_base
from clawdet_infra.formatting.json_format import fields_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clawdet_infra.automation import AutomationError, Provisioner
    from clawdet_infra.catalog import InstanceRow

_EXITS = {"fix_input": Exit.CONFIGURATION, "retry": Exit.RESOURCE, "escalate": Exit.ERROR}


@contextmanager
def provisioner(stack: str, cell_size: int = 50) -> Iterator[Provisioner]:
    """Open the signup library over a base stack."""
    from clawdet_infra.automation import Provisioner

    with Provisioner(stack, cell_size=cell_size, root=ROOT) as opened:
        yield opened


def end(error: AutomationError) -> NoReturn:
    """End the command with an error of the signup library."""
    fail(str(error), _EXITS[error.action], error.code, action=error.action)


def customers(chosen: Sequence[str] | None, *, rebuild: bool = False) -> list[InstanceRow]:
    """Return the customers of some stacks and their cells, or of all stacks (None), by stack and id.

    Stacks that changed since they were read last are read first; with `rebuild`, the catalog is rebuilt from all of
    them.  Ends the command if a stack cannot be read, or was never brought up.
    """
    from clawdet_infra.automation import AutomationError
    from clawdet_infra.engine.stacks import base_of
    from clawdet_infra.inventory.selection import in_scope

    if rebuild:
        for stack in chosen or ():
            choose_base(stack)
    named = chosen if chosen is not None else _known_stacks()
    rows: list[InstanceRow] = []
    for base in sorted({base_of(one, ROOT) for one in named}):
        try:
            with provisioner(base) as library:
                rows += library.rebuild() if rebuild else library.list()
                for clash in library.clashes:
                    warn(clash)
        except AutomationError as error:
            end(error)
    found = [one for one in rows if in_scope(one.cell, chosen)]
    for stack in chosen or ():
        if not any(in_scope(one.cell, [stack]) for one in found):
            check_deployed(stack)
    return found


def check_deployed(stack: str) -> None:
    """End the command if a stack was never brought up."""
    if stack not in _known_stacks():
        fail(f"stack {stack} was never brought up; see: clawdet up -s {stack}", code=ErrorCode.INVENTORY)


def facts(row: InstanceRow) -> dict[str, Any]:
    """Return a customer as commands print it as JSON."""
    return {**fields_of(row, id="customer"), "stack": row.cell}


def _known_stacks() -> Mapping[str, object]:
    from clawdet_infra.engine.versions import versions
    from clawdet_infra.inventory import InventoryError

    try:
        return versions(ROOT)
    except InventoryError as error:
        fail(str(error), code=ErrorCode.INVENTORY)
