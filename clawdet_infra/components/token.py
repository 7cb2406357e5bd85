"""The secrets of one customer's gateway."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from clawdet_infra.components.former import former_urns
from clawdet_infra.components.random_hex import random_hex
from clawdet_infra.config.secrets import TOKEN_BYTES, derived_password
from clawdet_infra.resources import CUSTOMER, FORMER_GATEWAY_TOKEN, PASSWORD


@dataclass(frozen=True)
class GatewayTokenArgs:
    """The settings of the secrets.

    A new `version` rotates them.  `given` is the customer's own token (64 hex characters); None generates one.  With
    `independent_password` the basic-auth password is random too, instead of the token's first characters.
    """

    version: int
    independent_password: bool = False
    given: str | None = None


@dataclass(frozen=True)
class GatewayToken:
    """A gateway token (256 bits, 64 lower-case hex characters) and the basic-auth password, both secret."""

    token: pulumi.Output[str]
    password: pulumi.Output[str]


def gateway_token(name: str, args: GatewayTokenArgs, parent: pulumi.Resource) -> GatewayToken:
    """Declare the secrets of a customer's gateway."""
    keepers = {"token_version": str(args.version)}

    def made(name: str, size: int) -> pulumi.Output[str]:
        aliases = former_urns(PASSWORD, name, within=f"{CUSTOMER}${FORMER_GATEWAY_TOKEN}")
        opts = pulumi.ResourceOptions(parent=parent, aliases=aliases)
        return random_hex(name, size=size, keepers=keepers, opts=opts)

    token = made(name, TOKEN_BYTES) if args.given is None else pulumi.Output.secret(args.given)
    password = made(f"{name}-password", 16) if args.independent_password else token.apply(derived_password)
    return GatewayToken(token=token, password=password)
