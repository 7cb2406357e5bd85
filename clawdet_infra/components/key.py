"""An SSH key pair that lives in the state."""

from __future__ import annotations

import pulumi

from clawdet_infra.components.random_hex import random_hex
from clawdet_infra.keys import SEED_BYTES, SSHKey, ssh_key_from_seed
from clawdet_infra.resources import KEY_PAIR


class KeyPair(pulumi.ComponentResource):
    """An ed25519 key pair made from random bytes, so that its public half is known before the first connection.

    Outputs: `private` (OpenSSH PEM, secret) and `public` (one line as in `authorized_keys`).
    """

    private: pulumi.Output[str]
    public: pulumi.Output[str]

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(KEY_PAIR, name, {}, opts)
        seed = random_hex(name, size=SEED_BYTES, opts=pulumi.ResourceOptions(parent=self))
        key: pulumi.Output[SSHKey] = seed.apply(ssh_key_from_seed)
        self.private = key.apply(lambda pair: pair.private)
        self.public = pulumi.Output.unsecret(key.apply(lambda pair: pair.public))
        self.register_outputs({"public": self.public})
