"""The last inventory on disk, without any secret: for the completion of ids and for what needs no more."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from clawdet_infra.inventory.instance import Instance, Inventory
from clawdet_infra.paths import ROOT

_FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One instance, as far as it is no secret."""

    id: str
    stack: str
    plan: str
    server: str
    ipv4: str
    url: str
    user: str
    image: str

    @classmethod
    def of(cls, instance: Instance) -> Entry:
        """Return the entry of an instance."""
        return cls(
            id=instance.id,
            stack=instance.stack,
            plan=instance.plan,
            server=instance.server.name,
            ipv4=str(instance.server.ipv4),
            url=instance.url,
            user=instance.user,
            image=instance.image,
        )


@dataclass(frozen=True)
class Listing:
    """Instances by id, and when they were read."""

    entries: tuple[Entry, ...]
    read_at: datetime


def listing_file(root: Path = ROOT) -> Path:
    """Return where the listing is."""
    return root / ".clawdet" / "inventory.json"


def read_listing(root: Path = ROOT) -> Listing | None:
    """Return the last listing of this backend; None where there is none that can be read."""
    try:
        content = json.loads(listing_file(root).read_text(encoding="utf-8"))
        if content["format"] != _FORMAT or content["backend"] != _backend():
            return None
        return Listing(tuple(Entry(**one) for one in content["entries"]), datetime.fromisoformat(content["read_at"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_listing(
    inventory: Inventory,
    *,
    complete: bool,
    covers: Callable[[str], bool] = lambda stack: False,
    root: Path = ROOT,
) -> None:
    """Keep an inventory without its secrets; one that is not `complete` replaces what its stacks had.

    `covers` says of further stacks, which have no customers or do not exist any more, that they were looked at too.
    """
    write_entries(
        [Entry.of(one) for one in inventory.instances.values()],
        complete=complete,
        covers=lambda stack: stack in inventory.clouds or covers(stack),
        root=root,
    )


def write_entries(
    entries: Iterable[Entry], *, complete: bool, covers: Callable[[str], bool], root: Path = ROOT
) -> None:
    """Keep instances as they were read; if not `complete`, they replace those of the stacks that it `covers`.

    A folder that cannot be written to is no reason to fail: nothing depends on the listing.
    """
    kept = list(entries)
    before = None if complete else read_listing(root)
    if before is not None:
        others = [one for one in before.entries if not covers(one.stack)]
        kept += [one for one in others if _other(one, kept)]
    _write(Listing(tuple(kept), datetime.now(UTC)), root)


def forget_stacks(gone: Callable[[str], bool], *, root: Path = ROOT) -> None:
    """Take the instances of stacks that are `gone` out of the listing; where it then has none, the file goes too."""
    before = read_listing(root)
    if before is None:
        return
    left = tuple(one for one in before.entries if not gone(one.stack))
    if left:
        _write(Listing(left, before.read_at), root)
    else:
        listing_file(root).unlink(missing_ok=True)


def _write(listing: Listing, root: Path) -> None:
    content = {
        "format": _FORMAT,
        "backend": _backend(),
        "read_at": listing.read_at.isoformat(timespec="seconds"),
        "entries": [asdict(one) for one in sorted(listing.entries, key=lambda entry: entry.id)],
    }
    file = listing_file(root)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # Made with mode 0600, and put in place whole: a reader sees the old one or the new one.
        handle, name = tempfile.mkstemp(prefix=".inventory-", dir=file.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as writing:
                json.dump(content, writing, indent=1)
            Path(name).replace(file)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError:
        return


def _other(entry: Entry, entries: Collection[Entry]) -> bool:
    return all(entry.id != one.id for one in entries)


def _backend() -> str:
    # A backend's address may hold a password, and only has to be told from others.
    return hashlib.sha256(os.environ.get("PULUMI_BACKEND_URL", "").encode()).hexdigest()[:16]
