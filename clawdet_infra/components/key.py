"""An SSH key pair, stored in the state."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from clawdet_infra.components.former import former_urns
from clawdet_infra.components.random_hex import random_hex
from clawdet_infra.components.ssh_keys import SEED_BYTES, SSHKey, ssh_key_from_seed
from clawdet_infra.resources import FORMER_KEY_PAIR, PASSWORD


@dataclass(frozen=True)
class KeyPair:
    """An ed25519 key pair: `private` (OpenSSH PEM, secret) and `public` (one line as in `authorized_keys`)."""

    private: pulumi.Output[str]
    public: pulumi.Output[str]


def key_pair(name: str, parent: pulumi.Resource, *, within: str) -> KeyPair:
    """Declare a key pair from random bytes, so that its public key is known before the first connection.

    `within` has the types of its resource's former parents, for the alias.
    """
    aliases = former_urns(PASSWORD, name, within=f"{within}${FORMER_KEY_PAIR}")
    seed = random_hex(name, size=SEED_BYTES, opts=pulumi.ResourceOptions(parent=parent, aliases=aliases))
    key: pulumi.Output[SSHKey] = seed.apply(ssh_key_from_seed)
    return KeyPair(
        private=key.apply(lambda pair: pair.private),
        public=pulumi.Output.unsecret(key.apply(lambda pair: pair.public)),
    )
