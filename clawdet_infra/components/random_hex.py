"""Random secrets that are nowhere in the state in plain text."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_random as random

KIND = "random:index/randomPassword:RandomPassword"
"""The type of the resource that a random secret is."""


def random_hex(
    name: str, *, size: int, keepers: Mapping[str, str] | None = None, opts: pulumi.ResourceOptions | None = None
) -> pulumi.Output[str]:
    """`size` random bytes as lower-case hexadecimal digits, secret, made anew when `keepers` change.

    This is what `random.RandomBytes` is for, but that resource has its value, in plain text, as its id.  A password
    over an alphabet of the sixteen digits has the same distribution, and its id says nothing.
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
