"""Random secrets that never appear in plain text in the state."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_random as random


def random_hex(
    name: str, *, size: int, keepers: Mapping[str, str] | None = None, opts: pulumi.ResourceOptions | None = None
) -> pulumi.Output[str]:
    """Return `size` random bytes as lower-case hexadecimal digits, secret, regenerated when `keepers` change.

    `random.RandomBytes` would have its value, in plain text, as its id.  A password over an alphabet of the sixteen
    digits has the same distribution, and its id is constant.
    """
    password = random.RandomPassword(
        name,
        length=2 * size,
        lower=False,
        upper=False,
        numeric=True,
        special=True,
        override_special="abcdef",
        keepers=keepers,
        opts=pulumi.ResourceOptions.merge(
            opts, pulumi.ResourceOptions(additional_secret_outputs=["result", "bcryptHash"])
        ),
    )
    return pulumi.Output.secret(password.result)
