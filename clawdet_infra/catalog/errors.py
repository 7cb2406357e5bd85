"""What can go wrong with the catalog."""

from __future__ import annotations

from clawdet_infra import database


class CatalogError(database.DatabaseError):
    """The catalog cannot do what is asked; the text says why and what to do, and has no secret in it."""


class RefusedError(CatalogError):
    """The catalog refuses what is asked for; the caller has to ask for something else."""


class ConflictError(CatalogError):
    """Another customer has the id or the subdomain; `holder` is that customer's id."""

    def __init__(self, message: str, holder: str) -> None:
        super().__init__(message)
        self.holder = holder


class BeingRemovedError(CatalogError):
    """The customer is being removed, and can be wanted again when that is done."""


class LeaseLostError(CatalogError, database.LeaseLostError):
    """The lease is another process's by now."""


PURPOSE = database.DatabaseRole(
    name="the catalog",
    variable="CLAWDET_CATALOG",
    file="/var/lib/clawdet/catalog.db",
    error=CatalogError,
    # The beginning of a hash of "clawdet registry".
    lock=0x72656769,
)


def rebuild_hint(base: str) -> str:
    """Return what to do if the stacks have customers that the catalog does not know, without a full stop."""
    return (
        "Check that CLAWDET_CATALOG names the catalog in use. If that catalog is lost or outdated, rebuild it with "
        f"`clawdet list --rebuild -s {base}`"
    )
