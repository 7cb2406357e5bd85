"""A program that makes the engine say one thing; the variable CLAWDET_TEXT chooses which.

It takes the place of `__main__.py` in a stack of the tests.
"""

from __future__ import annotations

import os
import time
import warnings

import pulumi
import pulumi_hcloud as hcloud

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from pulumi_command import local, remote

KEYS = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJPmO8jKYFz3Wm3eVwJ4RYMqqCq4pYVw4W7nT7xZ0b9k me",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKPmO8jKYFz3Wm3eVwJ4RYMqqCq4pYVw4W7nT7xZ0b9k you",
)


def provider() -> pulumi.ResourceOptions:
    made = hcloud.Provider("cloud", endpoint=os.environ["CLAWDET_ENDPOINT"], token=os.environ["CLAWDET_TOKEN"])
    return pulumi.ResourceOptions(provider=made)


def servers() -> None:
    """Creates servers, each of which the cloud refuses in its own way."""
    options = provider()
    for name in os.environ["CLAWDET_SERVERS"].split(","):
        hcloud.Server(name, name=name, server_type="cx23", image="debian-13", location="fsn1", opts=options)


def commands() -> None:
    """Runs commands here and on a server that fail, and on one that does not answer."""
    local.Command("local", create="echo first; echo the gateway did not start >&2; exit 3")
    where = {"host": "127.0.0.1", "user": os.environ["CLAWDET_USER"], "dial_error_limit": 1, "per_dial_timeout": 5}
    key = os.environ["CLAWDET_KEY"]
    reached = remote.ConnectionArgs(**where, port=float(os.environ["CLAWDET_PORT"]), private_key=key)
    away = remote.ConnectionArgs(**where, port=1.0, private_key=key)
    said = "echo first; echo the gateway did not start >&2; exit 3"
    remote.Command("remote", create=said, connection=reached)
    remote.Command("away", create="true", connection=away)


def cut_off() -> None:
    """Fails while something else is under way."""
    local.Command("slow", create="sleep 20")
    local.Command("fails", create="sleep 1; echo it went wrong >&2; exit 1")


def protected() -> None:
    hcloud.SshKey("key", name="key", public_key=KEYS[0], opts=provider().merge(pulumi.ResourceOptions(protect=True)))


def unprotected() -> None:
    """Would delete what is protected."""


def replaced() -> None:
    """Would replace what is protected."""
    hcloud.SshKey("key", name="key", public_key=KEYS[1], opts=provider().merge(pulumi.ResourceOptions(protect=True)))


def refuses() -> None:
    raise pulumi.RunError("The configuration has 1 problem:\n  - customers[0].plan: there is no plan gold.")


def breaks() -> None:
    raise KeyError("base")


def reads_another_stack() -> None:
    pulumi.export("base", pulumi.StackReference(os.environ["CLAWDET_STACK"]).require_output("base"))


def waits() -> None:
    """Holds the lock until there is a file."""
    while not os.path.exists(os.environ["CLAWDET_UNTIL"]):
        time.sleep(0.05)


def nothing() -> None:
    """Is up to date."""


globals()[os.environ["CLAWDET_TEXT"]]()
