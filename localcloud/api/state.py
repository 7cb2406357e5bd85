"""Everything one local cloud knows: its resources, their actions, and where its counters stand.

State is given to whoever needs it and never global.  It is changed inside `with state.change():`, which keeps all
the changes of the block, in memory and on disk, or none of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from localcloud.api.actions.model import Action
from localcloud.api.firewalls.model import Firewall
from localcloud.api.images.model import Image
from localcloud.api.inputs import read_id
from localcloud.api.placement_groups.model import PlacementGroup
from localcloud.api.primary_ips.model import PrimaryIP
from localcloud.api.servers.model import Boot, Server
from localcloud.api.ssh_keys.model import SSHKey
from localcloud.api.store import Store
from localcloud.api.table import Index, Table
from localcloud.api.volumes.model import Volume
from localcloud.api.zones import lookup
from localcloud.api.zones.model import Zone, ZoneRRSet

_FIRST_ID = 1001
"""Ids count up over all kinds of resources, so that an id of the wrong kind is never one by chance."""


class State:
    """All records of one local cloud, kept in one file."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._undo: dict[tuple[Table[Any], int], Any] | None = None
        self._counters = store.counters()
        self._counted: set[str] = set()
        self.actions = Table(
            "action",
            Action,
            self._note,
            resource=Index(lambda action: (*action.resources, *{resource.type for resource in action.resources})),
            status=Index(lambda action: (action.status,)),
            running_on=Index(lambda action: action.resources if action.status == "running" else ()),
        )
        self.servers = Table(
            "server",
            Server,
            self._note,
            name=Index(lambda server: (server.name.lower(),)),
            placement_group=Index(lambda server: (server.placement_group,) if server.placement_group else ()),
        )
        self.boots = Table("boot", Boot, self._note)
        self.ssh_keys = Table(
            "ssh_key",
            SSHKey,
            self._note,
            name=Index(lambda key: (key.name,)),
            fingerprint=Index(lambda key: (key.fingerprint,)),
        )
        self.firewalls = Table("firewall", Firewall, self._note, name=Index(lambda firewall: (firewall.name,)))
        self.primary_ips = Table(
            "primary_ip",
            PrimaryIP,
            self._note,
            name=Index(lambda ip: (ip.name,)),
            ip=Index(lambda ip: (ip.ip,)),
            assignee=Index(lambda ip: (ip.assignee, (ip.assignee, ip.type)) if ip.assignee else ()),
        )
        self.volumes = Table(
            "volume",
            Volume,
            self._note,
            name=Index(lambda volume: (volume.name,)),
            server=Index(lambda volume: (volume.server,) if volume.server else ()),
        )
        self.images = Table(
            "image", Image, self._note, bound_to=Index(lambda image: (image.bound_to,) if image.bound_to else ())
        )
        self.placement_groups = Table(
            "placement_group", PlacementGroup, self._note, name=Index(lambda group: (group.name,))
        )
        self.zone_table = Table("zone", Zone, self._note, name=Index(lambda zone: (zone.name,)))
        self.rrsets = Table(
            "rrset",
            ZoneRRSet,
            self._note,
            zone=Index(lambda rrset: (rrset.zone,)),
            at=Index(lambda rrset: ((rrset.zone, rrset.name),)),
            type=Index(lambda rrset: ((rrset.zone, rrset.name, rrset.type),)),
            below=Index(lambda rrset: [(rrset.zone, name) for name in lookup.ancestors(rrset.name)]),
        )
        for table in self._tables():
            table.load(store.rows(table.kind))

    @classmethod
    def open(cls, path: Path) -> State:
        """Read the state that is kept in this file, or start an empty one there.

        Raises `localcloud.api.store.StoreError` where the file cannot be used.
        """
        store = Store(path)
        try:
            return cls(store)
        except BaseException:
            store.close()
            raise

    def close(self) -> None:
        """Let go of the file."""
        self._store.close()

    def _tables(self) -> Iterator[Table[Any]]:
        return (value for value in vars(self).values() if isinstance(value, Table))

    @contextmanager
    def change(self) -> Iterator[None]:
        """Keep all changes of the block or, where it raises, none.  A block inside of another one joins it."""
        if self._undo is not None:
            yield
            return
        self._undo = {}
        try:
            yield
            rows = {(table.kind, number): table.dump(number) for table, number in self._undo}
            self._store.write(rows, {name: self._counters[name] for name in self._counted})
            self._counted.clear()
        except BaseException:
            for (table, number), before in self._undo.items():
                table.restore(number, before)
            raise
        finally:
            self._undo = None

    def _note(self, table: Table[Any], number: int, before: Any) -> None:
        if self._undo is None:
            raise RuntimeError(f"{table.kind} {number} was changed outside of State.change()")
        self._undo.setdefault((table, number), before)

    def count(self, name: str, first: int = 1) -> int:
        """The next number of a counter; it never gives the same one twice."""
        number = self._counters.get(name, first - 1) + 1
        self._counters[name] = number
        self._counted.add(name)
        return number

    def new_id(self) -> int:
        """An id for a new resource."""
        return self.count("resource", _FIRST_ID)

    def find(self, kind: str, key: str) -> Any | None:
        """The object of a kind (`server`, `zone`, …) with this id, or for zones this name; None where there is none."""
        table = next((table for table in self._tables() if table.kind == kind), None)
        if table is None:
            return None
        if (number := read_id(key)) is not None:
            return table.get(number)
        return self.zone_table.first("name", key.lower()) if table is self.zone_table else None

    def zones(self) -> Mapping[str, Zone]:
        """Every DNS zone by its name (lower case, no dot at the end)."""
        return {zone.name: zone for zone in self.zone_table}

    def zone_of(self, name: str) -> Zone | None:
        """The zone that is authoritative for a DNS name, or None."""
        return lookup.zone_of(self.zone_table, name)

    def lookup(self, name: str, rtype: str) -> list[lookup.RRset]:
        """Authoritative records of a fully qualified name (lower case, no dot at the end) and type.

        Empty where there are none; a CNAME at the name is returned for every type, for the DNS service to follow.
        """
        return lookup.lookup(self.zone_table, self.rrsets, name, rtype)

    def name_exists(self, name: str) -> bool:
        """Say whether a DNS name exists, with records of any type or as a name above others (so: no NXDOMAIN)."""
        return lookup.name_exists(self.zone_table, self.rrsets, name)
