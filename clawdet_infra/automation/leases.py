"""Who updates a cell: one call at a time, known to others by a lease, and stopped when it has to be."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from clawdet_infra.automation.base import Base
from clawdet_infra.automation.cells import CellSource
from clawdet_infra.catalog import (
    Applied,
    Catalog,
    CatalogError,
    DeploymentFingerprint,
    Desired,
    Lease,
    LeaseLostError,
    Record,
)
from clawdet_infra.config import parse_image
from clawdet_infra.engine.engine import LONGEST_STOP_SECONDS
from clawdet_infra.preview.fingerprint import UPDATED
from clawdet_infra.preview.sources import CheckoutSource

LEASE_SECONDS = 60.0
"""A lease of a process that died is free at once where that can be seen, and after this long from another machine."""
_RENEW_SECONDS = 10.0
_LOOK_SECONDS = 0.2
_STOP_SECONDS = LONGEST_STOP_SECONDS + 5
"""How long before a lease runs out its holder begins to stop: the engine has to be gone by then."""
_JOIN_SECONDS = 5.0


@contextmanager
def keepalive(registry: Catalog, lease: Lease) -> Iterator[threading.Event]:
    """Renew a lease in a thread, and give it back at the end.

    The event is set where the lease was lost, and also where it was not renewed until shortly before its end: the
    holder then has to stop, because another process may take the lease while the database cannot be reached from here.
    """
    lost, over = threading.Event(), threading.Event()
    held = [lease]

    def renew() -> None:
        while not (over.wait(_RENEW_SECONDS) or lost.is_set()):
            try:
                held[0] = registry.renew(lease, LEASE_SECONDS)
            except LeaseLostError:
                lost.set()
            except CatalogError:
                # The database is away for a moment; if it stays away, `watch` says so in time.
                continue

    def watch() -> None:
        # A thread of its own: the other one may wait for an answer of the database for long.
        while not (over.wait(_LOOK_SECONDS) or lost.is_set()):
            if held[0].seconds_left() <= _STOP_SECONDS:
                lost.set()

    renewing = threading.Thread(target=renew, daemon=True, name="clawdet-lease")
    watching = threading.Thread(target=watch, daemon=True, name="clawdet-lease-end")
    renewing.start()
    watching.start()
    try:
        yield lost
    finally:
        over.set()
        watching.join()
        renewing.join(_JOIN_SECONDS)
        # Else it runs out by itself.
        if not renewing.is_alive():
            with suppress(CatalogError):
                registry.release(lease)


@contextmanager
def cancel_on(until: float, *events: threading.Event) -> Iterator[threading.Event]:
    """An event that is set when a time (of `time.monotonic`) has come, or one of others is set."""
    stop, over = threading.Event(), threading.Event()

    def watch() -> None:
        while not over.wait(_LOOK_SECONDS):
            if time.monotonic() > until or any(one.is_set() for one in events):
                stop.set()
                return

    thread = threading.Thread(target=watch, daemon=True, name="clawdet-deadline")
    thread.start()
    try:
        yield stop
    finally:
        over.set()
        thread.join()


def input_fingerprint(base: str, root: Path) -> str | None:
    """Return what tells the settings, the program and the images that a cell of a base is made from."""
    return CheckoutSource(base, root).fingerprint(policies=True)


def save_fingerprint(
    registry: Catalog,
    base: Base,
    cell: str,
    root: Path,
    results: Mapping[str, Applied],
    desired: Sequence[Desired],
    made_from: str | None,
    lease: Lease,
) -> None:
    """Keep how an update of a cell has ended, and where everybody is healthy what it was made from.

    Raises LeaseLostError where another process has taken the cell's lease.

    `made_from` is the `input_fingerprint` of before the update.  If that has changed meanwhile, the update's inputs are
    not known.
    """
    failed = sorted(name for name, one in results.items() if not one.ok)
    source = CellSource(cell, CheckoutSource(base.name, root))
    complete = not failed and not any(has_tags_untold(one.record) for one in desired)
    certain = complete and made_from is not None and made_from == input_fingerprint(base.name, root)
    registry.set_mark(
        cell,
        base.name,
        DeploymentFingerprint(
            fingerprint=(source.fingerprint(policies=True) if certain else None) or "",
            version=source.version() or "",
            outcome="failed" if failed else UPDATED,
            error=f"failed: {', '.join(failed)}" if failed else "",
            at=datetime.now(UTC),
        ),
        lease,
    )


def has_tags_untold(record: Record) -> bool:
    """Return whether a customer has images of its own whose tags a fingerprint of its cell would not see move.

    The catalog's rows tell which gateway runs, and no other image.
    """
    release = record.get("release")
    own = release.items() if isinstance(release, Mapping) else ()
    return any(parse_image(str(image)).digest is None for role, image in own if role != "gateway" and image)
