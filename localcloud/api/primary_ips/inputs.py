"""Request bodies of the primary IP routes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from localcloud.api import inputs, resource
from localcloud.api.inputs import Id, IdOrName, Input, Labels, Name, problem
from localcloud.api.names import is_hostname


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


class UpdateInput(resource.UpdateInput):
    """Body of `PUT /primary_ips/{id}`."""

    auto_delete: bool = False


class AssignInput(Input):
    """Body of `assign`."""

    assignee_id: Id
    assignee_type: Literal["server"]


class ProtectionInput(inputs.ProtectionInput):
    """Body of `change_protection`."""

    delete: bool = Field()


class PointerInput(Input):
    """Body of `change_dns_ptr`; null sets the default again."""

    ip: str
    dns_ptr: Pointer | None
