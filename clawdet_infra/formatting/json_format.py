"""Values as the JSON that this project prints: camelCase, times in ISO 8601 and UTC, durations in seconds."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from pathlib import PurePath
from typing import Any


def dumps(value: Any, *, indent: int | None = None) -> str:
    """Return a value as a JSON document; without `indent`, in one line.  Raises TypeError as `plain_json` does."""
    return json.dumps(plain_json(value), indent=indent)


def plain_json(value: Any) -> Any:
    """Return a value as dicts, lists, texts, numbers, booleans and None.

    The fields of dataclasses get camelCase names.  The keys of mappings are data, such as ids of customers and names of
    servers, and stay as they are.  Raises TypeError for a value that has no JSON form here, such as a secret.
    """
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, datetime):
        return timestamp(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, PurePath | IPv4Address | IPv6Address | Decimal):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return fields_of(value)
    if isinstance(value, Mapping):
        return {_key(key): plain_json(inner) for key, inner in value.items()}
    if isinstance(value, AbstractSet):
        return sorted(plain_json(one) for one in value)
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [plain_json(one) for one in value]
    raise TypeError(f"a {type(value).__name__} has no form in JSON")


def fields_of(record: Any, **renamed: str) -> dict[str, Any]:
    """Return the fields of a dataclass as a JSON object; `renamed` gives some another name, such as id="customer"."""
    names = [field.name for field in dataclasses.fields(record)]
    return {renamed.get(name, camel(name)): plain_json(getattr(record, name)) for name in names}


def camel_keys(value: Any) -> Any:
    """Return JSON of another program of this project with the keys of all its objects in camelCase."""
    if isinstance(value, Mapping):
        return {camel(str(key)): camel_keys(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [camel_keys(one) for one in value]
    return value


def camel(name: str) -> str:
    """Return a snake_case name in camelCase."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def timestamp(moment: datetime) -> str:
    """Return a time as ISO 8601 in UTC, with milliseconds.  One without a time zone is taken as UTC."""
    utc = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return f"{utc.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def _key(key: Any) -> str:
    if isinstance(key, Enum):
        key = key.value
    if not isinstance(key, str):
        raise TypeError(f"a {type(key).__name__} cannot be a key in JSON")
    return key
