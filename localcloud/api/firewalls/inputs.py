"""Request bodies of the firewall routes."""

from __future__ import annotations

from ipaddress import ip_interface
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from localcloud.api import resource
from localcloud.api.firewalls.model import Rule
from localcloud.api.inputs import Id, Input, Labels, problem
from localcloud.api.labels import SelectorError, parse

MAX_RULES = 50
MAX_BLOCKS = 100


def _canonical_block(text: str) -> str:
    try:
        given = ip_interface(text)
    except ValueError:
        raise problem(f"'{text}' is not a valid network: it must be in CIDR notation") from None
    if "/" not in text:
        raise problem(f"'{text}' is not a valid network: it must be in CIDR notation")
    if given.ip != given.network.network_address:
        raise problem(f"'{text}' is not a valid network: its host bits must be zero")
    return str(given.network)


def _port(text: str) -> str:
    low, dash, high = text.partition("-")
    bounds = [low, high] if dash else [low]
    if text == "any":
        return text
    if not all(bound.isascii() and bound.isdigit() and 1 <= int(bound[:6]) <= 65535 for bound in bounds):
        raise problem(f"'{text}' is not a valid port: it must be a port from 1 to 65535, a range of them, or 'any'")
    if dash and int(low) > int(high):
        raise problem(f"'{text}' is not a valid port range: its first port is above its last")
    return text


def _selector(text: str) -> str:
    try:
        parse(text)
    except SelectorError as error:
        raise problem(str(error)) from None
    return text


Block = Annotated[str, AfterValidator(_canonical_block)]
Blocks = Annotated[list[Block], Field(max_length=MAX_BLOCKS)]


class RuleInput(Input):
    """One rule."""

    direction: Literal["in", "out"]
    protocol: Literal["tcp", "udp", "icmp", "esp", "gre"]
    port: Annotated[str, AfterValidator(_port)] | None = None
    source_ips: Blocks = Field(default_factory=list)
    destination_ips: Blocks = Field(default_factory=list)
    description: Annotated[str, Field(max_length=255)] | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        has_ports = self.protocol in ("tcp", "udp")
        if has_ports and self.port is None:
            raise problem(f"a rule for protocol {self.protocol} must have a port")
        if not has_ports and self.port is not None:
            raise problem(f"a rule for protocol {self.protocol} can have no port")
        used, unused = self.source_ips, self.destination_ips
        names = ("source_ips", "destination_ips")
        if self.direction == "out":
            used, unused, names = unused, used, names[::-1]
        if not used:
            raise problem(f"a rule with direction {self.direction} must have {names[0]}")
        if unused:
            raise problem(f"a rule with direction {self.direction} can have no {names[1]}")
        return self

    def rule(self) -> Rule:
        """The rule as the state keeps it."""
        return Rule(
            self.direction,
            self.protocol,
            self.port,
            tuple(self.source_ips),
            tuple(self.destination_ips),
            self.description,
        )


class ServerInput(Input):
    """A server, by id."""

    id: Id


class SelectorInput(Input):
    """A label selector."""

    selector: Annotated[str, Field(min_length=1, max_length=1024), AfterValidator(_selector)]


class ResourceInput(Input):
    """What a firewall is applied to or removed from."""

    type: Literal["server", "label_selector"]
    server: ServerInput | None = None
    label_selector: SelectorInput | None = None

    @model_validator(mode="after")
    def _has_what_its_type_says(self) -> Self:
        if getattr(self, self.type) is None:
            raise problem(f"a resource of type {self.type} must have '{self.type}'")
        return self


Rules = Annotated[list[RuleInput], Field(max_length=MAX_RULES)]
Name = Annotated[str, Field(min_length=1, max_length=128)]


class CreateInput(Input):
    """Body of `POST /firewalls`."""

    name: Name
    labels: Labels = Field(default_factory=dict)
    rules: Rules = Field(default_factory=list)
    apply_to: list[ResourceInput] = Field(default_factory=list)


class UpdateInput(resource.UpdateInput):
    """Body of `PUT /firewalls/{id}`."""

    name: Name = ""


class SetRulesInput(Input):
    """Body of `set_rules`."""

    rules: Rules


class ApplyInput(Input):
    """Body of `apply_to_resources`."""

    apply_to: Annotated[list[ResourceInput], Field(min_length=1)]


class RemoveInput(Input):
    """Body of `remove_from_resources`."""

    remove_from: Annotated[list[ResourceInput], Field(min_length=1)]
