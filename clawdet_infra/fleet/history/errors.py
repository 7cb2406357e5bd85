"""What can go wrong with the history."""

from __future__ import annotations

from clawdet_infra import database


class HistoryError(database.DatabaseError):
    """The history cannot be read or written; the text says which, why, and what to do, and has no password in it."""


class LeaseLostError(HistoryError, database.LeaseLostError):
    """The lease is another process's by now."""


PURPOSE = database.Purpose(
    name="the history",
    variable="CLAWDET_HISTORY",
    file="/var/lib/clawdet/history.db",
    error=HistoryError,
    # The beginning of a hash of "clawdet history".
    lock=0x636C6177,
)
