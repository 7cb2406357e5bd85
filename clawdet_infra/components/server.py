"""A virtual server, reachable over SSH with a pinned host key."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_hcloud as hcloud

from clawdet_infra import render
from clawdet_infra.components.former import former_urns
from clawdet_infra.components.foundation import HostTarget, SharedInfra, connection
from clawdet_infra.components.key import key_pair
from clawdet_infra.resources import FORMER_SERVER, PROTECT_LABEL, SERVER


@dataclass(frozen=True)
class ServerArgs:
    """The server's layout, and who may log in.

    `foundation` has the key that deployments connect with.  A `protect`ed server cannot be deleted by Pulumi or in
    Hetzner's console before an update has removed the protection.
    """

    server_name: str
    server_type: str
    location: str
    image: str
    labels: dict[str, str]
    foundation: SharedInfra
    protect: bool


@dataclass(frozen=True)
class Server:
    """A server, and its public SSH host key."""

    resource: hcloud.Server
    host_key: pulumi.Output[str]
    login_key: pulumi.Output[str]

    @property
    def ipv4(self) -> pulumi.Output[str]:
        """The server's public IPv4 address."""
        return pulumi.Output.from_input(self.resource.ipv4_address)

    def place(self, *ready: pulumi.Resource) -> HostTarget:
        """Return the server as the target of deployments, which wait for `ready`."""
        return HostTarget(
            identity=self.resource.id,
            ipv4=self.ipv4,
            connection=connection(self.ipv4, self.host_key, self.login_key),
            ready=ready,
        )


def server(name: str, args: ServerArgs, parent: pulumi.Resource, *, within: str) -> Server:
    """Declare a server with a pinned SSH host key and the fleet's cloud-init.

    `within` is the type of `parent`.
    """
    former = f"{within}${FORMER_SERVER}"
    host_key = key_pair(f"{name}-host-key", parent, within=former)
    resource = hcloud.Server(
        name,
        name=args.server_name,
        server_type=args.server_type,
        location=args.location,
        image=args.image,
        # A label makes the exception visible; the policies read it.
        labels=args.labels if args.protect else {**args.labels, PROTECT_LABEL: "off"},
        ssh_keys=[args.foundation.ssh_key],
        user_data=pulumi.Output.all(host_key.private, host_key.public).apply(
            lambda pair: render.user_data(host_key_private=pair[0], host_key_public=pair[1])
        ),
        # Hetzner accepts no type with a smaller disk than the server's, so a disk that grew would prevent a downgrade.
        keep_disk=True,
        public_nets=[hcloud.ServerPublicNetArgs(ipv4_enabled=True, ipv6_enabled=True)],
        delete_protection=args.protect,
        rebuild_protection=args.protect,
        opts=pulumi.ResourceOptions(
            parent=parent,
            protect=args.protect,
            # A change of any of these would replace the server and lose its data; deployments make the changes on a
            # running server.
            ignore_changes=["userData", "sshKeys", "image"],
            additional_secret_outputs=["userData"],
            # Server names are unique in a project, so the old server is deleted first.
            delete_before_replace=True,
            aliases=former_urns(SERVER, name, within=former),
        ),
    )
    return Server(resource, host_key.public, args.foundation.login_key)
