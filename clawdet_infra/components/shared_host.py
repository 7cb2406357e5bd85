"""A server that free customers share, with its edge proxy."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from clawdet_infra import render
from clawdet_infra.components.deployment import DeploymentArgs, deployment
from clawdet_infra.components.foundation import HostTarget, SharedInfra
from clawdet_infra.components.images import ImagePins
from clawdet_infra.components.server import Server, ServerArgs, server
from clawdet_infra.config import Fleet
from clawdet_infra.layout import HostLayout
from clawdet_infra.resources import AGENT_ENDING, EDGE_ENDING, SERVER_ENDING, SHARED_HOST


@dataclass(frozen=True)
class SharedHostArgs:
    """The host's layout.  It does not depend on its tenants, so they never change it."""

    layout: HostLayout
    fleet: Fleet
    foundation: SharedInfra
    images: ImagePins


class SharedHost(pulumi.ComponentResource):
    """A server whose edge proxy terminates TLS for all tenants; each tenant is a separate deployment.

    `place` is the target of a tenant's deployment, which waits for the edge proxy.
    """

    server: Server
    server_name: str
    place: HostTarget

    def __init__(self, name: str, args: SharedHostArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(SHARED_HOST, name, {}, opts)
        layout = args.layout
        self.server_name = layout.server_name
        self.server = server(
            f"{name}{SERVER_ENDING}",
            ServerArgs(
                server_name=layout.server_name,
                server_type=layout.server.type,
                location=layout.server.location,
                image=layout.server.image,
                labels=dict(layout.labels),
                foundation=args.foundation,
                protect=layout.protect,
            ),
            self,
            within=SHARED_HOST,
        )

        def bundle(proxy: str) -> render.Bundle:
            fleet = args.fleet
            return render.host_bundle(layout, proxy=proxy, acme=fleet.cloud.acme, acme_email=fleet.acme_email)

        proxy = args.images.pin(layout.images.proxy)
        edge = deployment(
            f"{name}{EDGE_ENDING}",
            DeploymentArgs(
                place=self.server.place(),
                project=layout.project,
                agent=f"{name}{AGENT_ENDING}",
                summary=proxy.apply(lambda image: render.host_summary(layout, bundle(image))),
                payload=proxy.apply(lambda image: render.host_payload(layout, bundle(image))),
                remove_with=self.server.resource,
                within=SHARED_HOST,
                former_names=[f"{name}{EDGE_ENDING}"],
            ),
            self,
        )
        self.place = self.server.place(edge)
        self.register_outputs({"ipv4": self.server.ipv4, "image": proxy})
