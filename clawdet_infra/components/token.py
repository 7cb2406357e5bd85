"""The secrets of one customer's gateway."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from clawdet_infra.components.random_hex import random_hex
from clawdet_infra.model.secrets import TOKEN_BYTES, derived_password
from clawdet_infra.resources import GATEWAY_TOKEN


@dataclass(frozen=True)
class GatewayTokenArgs:
    """How the secrets come about.

    A rotation is a new `version`.  `given` is a token that the customer brought along (64 hex characters); None makes
    one.  With `independent_password` the basic-auth password is random too, instead of the token's first characters.
    """

    version: int
    independent_password: bool = False
    given: str | None = None


class GatewayToken(pulumi.ComponentResource):
    """A random gateway token (256 bits, 64 lower-case hex characters) and the basic-auth password.

    Outputs, both secret: `token` and `password`.
    """

    token: pulumi.Output[str]
    password: pulumi.Output[str]

    def __init__(self, name: str, args: GatewayTokenArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(GATEWAY_TOKEN, name, {}, opts)
        keepers = {"token_version": str(args.version)}
        child = pulumi.ResourceOptions(parent=self)
        if args.given is None:
            self.token = random_hex(name, size=TOKEN_BYTES, keepers=keepers, opts=child)
        else:
            self.token = pulumi.Output.secret(args.given)
        if args.independent_password:
            self.password = random_hex(f"{name}-password", size=16, keepers=keepers, opts=child)
        else:
            self.password = self.token.apply(derived_password)
        self.register_outputs({"version": args.version})
