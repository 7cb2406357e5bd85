"""Records in memory, with the indexes that keep every look-up as fast with a thousand servers as with one."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Generic, Protocol, TypeVar

from pydantic import TypeAdapter, ValidationError

from localcloud.api.store import StoreError


class Record(Protocol):
    """Anything with an id that is unique among its kind.  Records are frozen; a change puts a new one."""

    @property
    def id(self) -> int:
        """The record's number."""
        ...


R = TypeVar("R", bound=Record)


class Index(Generic[R]):
    """Finds a table's records by a key that is computed from them; a record may have several keys, or none."""

    def __init__(self, keys: Callable[[R], Iterable[Hashable]]) -> None:
        self._keys = keys
        self._ids: dict[Hashable, dict[int, None]] = {}

    def ids(self, key: Hashable) -> list[int]:
        """Ids of the records with this key, oldest first."""
        return list(self._ids.get(key, ()))

    def __contains__(self, key: Hashable) -> bool:
        return key in self._ids

    def add(self, record: R) -> None:
        """Take a record in."""
        for key in self._keys(record):
            self._ids.setdefault(key, {})[record.id] = None

    def discard(self, record: R) -> None:
        """Forget a record."""
        for key in self._keys(record):
            ids = self._ids.get(key)
            if ids is not None:
                ids.pop(record.id, None)
                if not ids:
                    del self._ids[key]


Noted = Callable[["Table[R]", int, R | None], None]


class Table(Generic[R]):
    """All records of one kind.  `noted` hears of each change with the record that was there before."""

    def __init__(self, kind: str, record: type[R], noted: Noted[R], **indexes: Index[R]) -> None:
        self.kind = kind
        self._adapter: TypeAdapter[R] = TypeAdapter(record)
        self._noted = noted
        self._records: dict[int, R] = {}
        self._indexes = indexes

    def get(self, number: int) -> R | None:
        """The record with this id, or None."""
        return self._records.get(number)

    def __getitem__(self, number: int) -> R:
        return self._records[number]

    def __iter__(self) -> Iterator[R]:
        return iter(list(self._records.values()))

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, number: object) -> bool:
        return number in self._records

    def find(self, index: str, key: Hashable) -> list[R]:
        """Records with this key in one of the table's indexes, oldest first."""
        return [self._records[number] for number in self._indexes[index].ids(key)]

    def first(self, index: str, key: Hashable) -> R | None:
        """The oldest record with this key, or None."""
        ids = self._indexes[index].ids(key)
        return self._records[ids[0]] if ids else None

    def has(self, index: str, key: Hashable) -> bool:
        """Say whether any record has this key."""
        return key in self._indexes[index]

    def put(self, record: R) -> R:
        """Add a record, or replace the one with its id."""
        before = self._records.get(record.id)
        self._noted(self, record.id, before)
        self.restore(record.id, record)
        return record

    def remove(self, number: int) -> None:
        """Remove a record that is there."""
        before = self._records[number]
        self._noted(self, number, before)
        self.restore(number, None)

    def restore(self, number: int, record: R | None) -> None:
        """Set what is there under an id without telling anybody: on loading, and when a change is undone."""
        before = self._records.pop(number, None) if record is None else self._records.get(number)
        for index in self._indexes.values():
            if before is not None:
                index.discard(before)
            if record is not None:
                index.add(record)
        if record is not None:
            self._records[number] = record

    def load(self, bodies: Iterable[str]) -> None:
        """Take in records from disk.  Raises StoreError for one that is not of this version."""
        for body in bodies:
            try:
                record = self._adapter.validate_json(body)
            except ValidationError as error:
                raise StoreError(
                    f"a {self.kind} in the state cannot be read; it was written by another version of the local "
                    "cloud: use that one, or destroy the cloud to start anew"
                ) from error
            self.restore(record.id, record)

    def dump(self, number: int) -> str | None:
        """A record's row on disk, or None where there is no such record."""
        record = self._records.get(number)
        return None if record is None else self._adapter.dump_json(record).decode()
