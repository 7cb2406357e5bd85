"""A virtual server that is reached by SSH with a host key known beforehand."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_hcloud as hcloud
from pulumi_command.remote import ConnectionArgs

from clawdet_infra import render
from clawdet_infra.components.foundation import Foundation, Place, connection
from clawdet_infra.components.key import KeyPair
from clawdet_infra.resources import PROTECT_LABEL, SERVER_COMPONENT


@dataclass(frozen=True)
class ServerArgs:
    """What is rented, and who may log in.

    `foundation` has the key that deployments connect with.  A `protect`ed server is deleted neither by Pulumi nor in
    Hetzner's console before an update has taken the protection away.
    """

    server_name: str
    server_type: str
    location: str
    image: str
    labels: dict[str, str]
    foundation: Foundation
    protect: bool


class Server(pulumi.ComponentResource):
    """A server with a pinned SSH host key and the static cloud-init of every server of the fleet.

    Outputs: `ipv4`, `host_key` (public), and `connection`, with which pulumi-command reaches it.
    """

    resource: hcloud.Server
    ipv4: pulumi.Output[str]
    host_key: pulumi.Output[str]
    connection: ConnectionArgs

    def __init__(self, name: str, args: ServerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(SERVER_COMPONENT, name, {}, opts)
        host_key = KeyPair(f"{name}-host-key", opts=pulumi.ResourceOptions(parent=self))
        self.resource = hcloud.Server(
            name,
            name=args.server_name,
            server_type=args.server_type,
            location=args.location,
            image=args.image,
            # What was chosen is said where everybody sees it; the policies take it from there.
            labels=args.labels if args.protect else {**args.labels, PROTECT_LABEL: "off"},
            ssh_keys=[args.foundation.ssh_key],
            user_data=pulumi.Output.all(host_key.private, host_key.public).apply(
                lambda pair: render.cloud_init(host_key_private=pair[0], host_key_public=pair[1])
            ),
            # Hetzner takes no type with a smaller disk than a server has, so a disk that grew would bar the way back.
            keep_disk=True,
            public_nets=[hcloud.ServerPublicNetArgs(ipv4_enabled=True, ipv6_enabled=True)],
            delete_protection=args.protect,
            rebuild_protection=args.protect,
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=args.protect,
                # A change of any of these would replace the server and lose its data; what has to change on a
                # running server travels with the deployment.
                ignore_changes=["userData", "sshKeys", "image"],
                additional_secret_outputs=["userData"],
                # A server's name is unique in a project.
                delete_before_replace=True,
            ),
        )
        self.ipv4 = self.resource.ipv4_address
        self.host_key = host_key.public
        self.connection = connection(self.ipv4, self.host_key, args.foundation.login_key)
        self.register_outputs({"ipv4": self.ipv4, "hostKey": self.host_key})

    def place(self, *ready: pulumi.Resource) -> Place:
        """The server as a place for deployments, which wait for `ready`."""
        return Place(ipv4=self.ipv4, connection=self.connection, ready=ready)
