"""Shared hosts: servers that several free customers share."""

from __future__ import annotations

from typing import Annotated

from clawdet_infra.config.base import Record, whole
from clawdet_infra.config.names import CustomerId
from clawdet_infra.config.servers import LocationName, ServerTypeName


class SharedHost(Record):
    """A server that several free customers share; `capacity` is the maximum number of customers."""

    id: CustomerId
    type: ServerTypeName
    location: LocationName
    capacity: Annotated[int, whole(1, 200, "customers")]
