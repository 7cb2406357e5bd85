"""Request bodies of the server routes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from localcloud.api.inputs import Id, IdOrName, Input, Labels, problem
from localcloud.api.names import is_hostname
from localcloud.api.primary_ips.inputs import Pointer

MAX_USER_DATA = 32 * 1024


def _hostname(text: str) -> str:
    if not is_hostname(text):
        raise problem("must be a valid hostname as per RFC 1123 (letters, digits, periods and dashes)")
    return text


def _user_data(text: str) -> str:
    if len(text.encode()) > MAX_USER_DATA:
        raise problem(f"Length must be between 0 and {MAX_USER_DATA}.")
    return text


def _zero_is_none(value: Any) -> Any:
    # Clients written in Go send 0 where they have no id.
    return None if value == 0 and isinstance(value, int) and not isinstance(value, bool) else value


ServerName = Annotated[str, Field(min_length=1, max_length=253), AfterValidator(_hostname)]
UserData = Annotated[str, AfterValidator(_user_data)]
OptionalId = Annotated[Id | None, BeforeValidator(_zero_is_none)]


class FirewallInput(Input):
    """A firewall to apply from the start."""

    firewall: Id


class PublicNetInput(Input):
    """Which public addresses a server has; an id names a primary IP that is there already."""

    enable_ipv4: bool = True
    enable_ipv6: bool = True
    ipv4: OptionalId = None
    ipv6: OptionalId = None


class CreateInput(Input):
    """Body of `POST /servers`."""

    name: ServerName
    server_type: IdOrName
    image: IdOrName
    location: IdOrName | None = None
    ssh_keys: list[IdOrName] = Field(default_factory=list)
    user_data: UserData = ""
    labels: Labels = Field(default_factory=dict)
    firewalls: list[FirewallInput] = Field(default_factory=list)
    networks: list[Id] = Field(default_factory=list)
    volumes: list[Id] = Field(default_factory=list)
    automount: bool = False
    placement_group: OptionalId = None
    public_net: PublicNetInput = Field(default_factory=PublicNetInput)
    start_after_create: bool = True


class UpdateInput(Input):
    """Body of `PUT /servers/{id}`."""

    name: ServerName = ""
    labels: Labels = Field(default_factory=dict)


class ProtectionInput(Input):
    """Body of `change_protection`; a server's two protections can only be changed together."""

    delete: bool = False
    rebuild: bool = False


class RebuildInput(Input):
    """Body of `rebuild`."""

    image: IdOrName
    user_data: UserData | None = None


class ChangeTypeInput(Input):
    """Body of `change_type`."""

    server_type: IdOrName
    upgrade_disk: bool


class PointerInput(Input):
    """Body of `change_dns_ptr`; null sets the default again."""

    ip: str
    dns_ptr: Pointer | None


class PlacementInput(Input):
    """Body of `add_to_placement_group`."""

    placement_group: Id


class CreateImageInput(Input):
    """Body of `create_image`."""

    type: Literal["snapshot", "backup"] = "snapshot"
    description: Annotated[str, Field(max_length=255)] = ""
    labels: Labels = Field(default_factory=dict)
