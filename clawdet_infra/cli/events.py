"""What an update did and how long it took, from the engine's own log of events (`pulumi up --event-log`)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_UNCHANGED = frozenset({"same", "read", "refresh"})


@dataclass(frozen=True)
class Span:
    """From the first change of a customer's resources to the last, in seconds since the epoch (whole seconds)."""

    start: int
    end: int

    @property
    def seconds(self) -> int:
        """How long it took."""
        return self.end - self.start


def customer_spans(log: str, customers: Iterable[str]) -> dict[str, Span]:
    """When each customer's resources were changed; customers that were left alone are not in it.

    `log` is the text of the event log, one JSON object a line.
    """
    # The longest id first, so that `a-b-dns` belongs to `a-b` and not to `a`.
    ids = sorted(customers, key=len, reverse=True)
    spans: dict[str, Span] = {}
    for timestamp, name in _changes(log):
        owner = next((one for one in ids if name == one or name.startswith(f"{one}-")), None)
        if owner is not None:
            start = spans[owner].start if owner in spans else timestamp
            spans[owner] = Span(start, timestamp)
    return spans


def _changes(log: str) -> Iterator[tuple[int, str]]:
    for line in log.splitlines():
        event: Mapping[str, Any] = json.loads(line)
        metadata = (event.get("resourcePreEvent") or event.get("resOutputsEvent") or {}).get("metadata")
        if metadata and metadata["op"] not in _UNCHANGED:
            name = metadata["urn"].rpartition("::")[2]
            # A record is named after its host name; what it is in is named after the customer.
            state = (metadata.get("new") or metadata.get("old") or {}) if "/" in name else {}
            yield event["timestamp"], str(state.get("parent") or name).rpartition("::")[2]
