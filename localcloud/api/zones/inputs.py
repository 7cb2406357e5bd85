"""Request bodies of the zone routes."""

from __future__ import annotations

import base64
import binascii
from ipaddress import ip_address
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from localcloud.api.inputs import Input, Labels, problem
from localcloud.api.zones.model import PrimaryNameserver, Record
from localcloud.api.zones.values import zone_name_problem

MAX_TTL = 2147483647
MAX_RECORDS = 50
RRType = Literal[
    "A", "AAAA", "CAA", "CNAME", "DS", "HINFO", "HTTPS", "MX", "NS", "PTR", "RP", "SOA", "SRV", "SVCB", "TLSA", "TXT"
]
Ttl = Annotated[int, Field(ge=60, le=MAX_TTL)]


def _zone_name(name: str) -> str:
    if found := zone_name_problem(name):
        raise problem(found)
    return name


def _address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise problem("must be an IPv4 or IPv6 address") from None


def _base64(text: str) -> str:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise problem("must be base64 encoded") from None
    return text


class RecordInput(Input):
    """One record."""

    value: str
    comment: Annotated[str, Field(max_length=255)] | None = None

    def record(self) -> Record:
        """The record as the state keeps it."""
        return Record(self.value, self.comment or None)


class RemovedRecordInput(Input):
    """A record to take away, known by its value."""

    value: str


class CommentInput(Input):
    """A record's new comment."""

    value: str
    comment: Annotated[str, Field(max_length=255)]


Records = Annotated[list[RecordInput], Field(min_length=1, max_length=MAX_RECORDS)]


class RRSetInput(Input):
    """Body of `POST /zones/{id_or_name}/rrsets`."""

    name: Annotated[str, Field(min_length=1, max_length=255)]
    type: RRType
    ttl: Ttl | None = None
    labels: Labels = Field(default_factory=dict)
    records: Records


class PrimaryNameserverInput(Input):
    """Where a secondary zone is copied from."""

    address: Annotated[str, AfterValidator(_address)]
    port: Annotated[int, Field(ge=1, le=65535)] = 53
    tsig_algorithm: Literal["hmac-md5", "hmac-sha1", "hmac-sha256"] | None = None
    tsig_key: Annotated[str, AfterValidator(_base64)] | None = None

    def nameserver(self) -> PrimaryNameserver:
        """The name server as the state keeps it."""
        return PrimaryNameserver(self.address, self.port, self.tsig_algorithm, self.tsig_key)


class CreateInput(Input):
    """Body of `POST /zones`."""

    name: Annotated[str, AfterValidator(_zone_name)]
    mode: Literal["primary", "secondary"]
    ttl: Ttl = 3600
    labels: Labels = Field(default_factory=dict)
    primary_nameservers: list[PrimaryNameserverInput] = Field(default_factory=list)
    rrsets: list[RRSetInput] = Field(default_factory=list)
    zonefile: str = ""


class LabelsInput(Input):
    """Body of `PUT` on a zone or a record set."""

    labels: Labels = Field(default_factory=dict)


class ZoneTtlInput(Input):
    """Body of a zone's `change_ttl`."""

    ttl: Ttl


class NameserversInput(Input):
    """Body of `change_primary_nameservers`."""

    primary_nameservers: Annotated[list[PrimaryNameserverInput], Field(min_length=1)]


class ZonefileInput(Input):
    """Body of `import_zonefile`."""

    zonefile: Annotated[str, Field(min_length=1)]


class RRSetProtectionInput(Input):
    """Body of a record set's `change_protection`."""

    change: bool


class RRSetTtlInput(Input):
    """Body of a record set's `change_ttl`; null stands for the zone's."""

    ttl: Ttl | None


class SetRecordsInput(Input):
    """Body of `set_records`."""

    records: Records


class AddRecordsInput(Input):
    """Body of `add_records`."""

    records: Records
    ttl: Ttl | None = None


class RemoveRecordsInput(Input):
    """Body of `remove_records`."""

    records: Annotated[list[RemovedRecordInput], Field(min_length=1, max_length=MAX_RECORDS)]


class UpdateRecordsInput(Input):
    """Body of `update_records`."""

    records: Annotated[list[CommentInput], Field(min_length=1, max_length=MAX_RECORDS)]
