"""Request bodies of the primary IP routes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from localcloud.api.inputs import Id, IdOrName, Input, Labels, problem
from localcloud.api.names import is_hostname

Name = Annotated[str, Field(min_length=1, max_length=255)]


def _hostname(text: str) -> str:
    if not is_hostname(text.removesuffix(".")):
        raise problem("must be a valid hostname")
    return text


Pointer = Annotated[str, Field(min_length=1, max_length=253), AfterValidator(_hostname)]


class CreateInput(Input):
    """Body of `POST /primary_ips`."""

    name: Name
    type: Literal["ipv4", "ipv6"]
    assignee_type: Literal["server"] = "server"
    assignee_id: Id | None = None
    location: IdOrName | None = None
    auto_delete: bool = False
    labels: Labels = Field(default_factory=dict)


class UpdateInput(Input):
    """Body of `PUT /primary_ips/{id}`."""

    name: Name = ""
    auto_delete: bool = False
    labels: Labels = Field(default_factory=dict)


class AssignInput(Input):
    """Body of `assign`."""

    assignee_id: Id
    assignee_type: Literal["server"]


class ProtectionInput(Input):
    """Body of `change_protection`."""

    delete: bool


class PointerInput(Input):
    """Body of `change_dns_ptr`; null sets the default again."""

    ip: str
    dns_ptr: Pointer | None
