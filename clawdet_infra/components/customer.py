"""One customer: server, DNS record, secrets, deployment and health check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_command.remote import Command

from clawdet_infra import render
from clawdet_infra.components.deployment import DeploymentArgs, deployment
from clawdet_infra.components.dns import DnsRecordArgs, dns_record
from clawdet_infra.components.foundation import HostTarget, SharedInfra, connection
from clawdet_infra.components.health import HealthCheck, HealthCheckArgs
from clawdet_infra.components.images import ImagePins
from clawdet_infra.components.server import Server, ServerArgs, server
from clawdet_infra.components.token import GatewayToken, GatewayTokenArgs, gateway_token
from clawdet_infra.config import ExistingServer, Fleet, Release
from clawdet_infra.layout import RECORD_TTL_SECONDS, CustomerLayout
from clawdet_infra.resources import AGENT_ENDING, CUSTOMER, HEALTH_ENDING, SERVER_ENDING, TOKEN_ENDING

# The deployment has already found the gateway ready; the check from outside waits for ACME and DNS only.
_HEALTH_DEADLINE_SECONDS = 180


@dataclass(frozen=True)
class CustomerArgs:
    """The customer's layout, and the resources that it shares with others.

    `host` is the shared host of a free customer, None for all others.  The deployment waits for `after`, the health
    checks of the previous rollout wave; the server and its records do not.
    """

    layout: CustomerLayout
    fleet: Fleet
    foundation: SharedInfra
    host: HostTarget | None
    images: ImagePins
    after: Sequence[pulumi.Resource] = ()


class Customer(pulumi.ComponentResource):
    """A customer's private gateway, at its own HTTPS address.

    `facts` are the customer's public outputs and `secrets` its secret ones; `server` is the output for the customer's
    own server, None on a shared host; later waves wait for `health`.
    """

    server_name: str
    server: dict[str, pulumi.Output[str]] | None
    health: HealthCheck
    facts: dict[str, Any]
    secrets: dict[str, pulumi.Output[str]]

    def __init__(self, name: str, args: CustomerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(CUSTOMER, name, {}, opts)
        layout = args.layout
        self.server_name = layout.server_name
        own = self._server(name, args) if layout.server else None
        place = args.host or (own.place() if own else _existing(args))
        self.server = None
        if args.host is None:
            host_key = own.host_key if own else pulumi.Output.from_input(_address(args).host_key)
            self.server = {"ipv4": place.ipv4, "host_key": host_key}
        record = dns_record(
            layout.record,
            DnsRecordArgs(
                customer=name,
                zone=args.foundation.zone,
                name=layout.subdomain,
                ipv4=place.ipv4,
                ttl=RECORD_TTL_SECONDS,
                labels=dict(layout.labels),
            ),
            self,
        )
        token = gateway_token(f"{name}{TOKEN_ENDING}", _token_args(layout), self)
        images = _pinned(layout, args.images)
        deployed = self._deployment(name, args, place, own, token, images, record)
        self.health = HealthCheck(
            f"{name}{HEALTH_ENDING}",
            HealthCheckArgs(
                customer=name,
                url=layout.url,
                ipv4=place.ipv4,
                user=layout.user,
                password=token.password,
                gateway_token=token.token,
                deadline=_HEALTH_DEADLINE_SECONDS,
                record_ttl=RECORD_TTL_SECONDS,
                guards=[deployed.stdout],
                resolver=args.fleet.cloud.resolver,
                ca_bundle=args.fleet.cloud.ca_bundle,
            ),
            pulumi.ResourceOptions(parent=self),
        )
        self.facts = {
            "url": layout.url,
            "ipv4": place.ipv4,
            "plan": layout.plan.name,
            "host": layout.server_name,
            "image": images["gateway"],
            "user": layout.user,
        }
        self.secrets = {"gateway_token": token.token, "auth_password": token.password}
        self.register_outputs(self.facts)

    def _server(self, name: str, args: CustomerArgs) -> Server:
        wish = args.layout.server
        if wish is None:
            raise ValueError(f"customer {name}: the layout has no server")
        return server(
            f"{name}{SERVER_ENDING}",
            ServerArgs(
                server_name=args.layout.server_name,
                server_type=wish.type,
                location=wish.location,
                image=wish.image,
                labels=dict(args.layout.labels),
                foundation=args.foundation,
                protect=args.layout.protect,
            ),
            self,
            within=CUSTOMER,
        )

    def _deployment(
        self,
        name: str,
        args: CustomerArgs,
        place: HostTarget,
        own: Server | None,
        token: GatewayToken,
        images: dict[str, pulumi.Output[str]],
        record: pulumi.Resource,
    ) -> Command:
        layout, fleet = args.layout, args.fleet

        def bundle(pinned: dict[str, str]) -> render.Bundle:
            return render.bundle(
                layout,
                images=Release(**pinned),
                acme=fleet.cloud.acme,
                acme_email=fleet.acme_email,
                # If all images come from one mirror, servers have no internet access.
                offline=bool(fleet.cloud.image_prefix),
            )

        def payload(values: dict[str, Any]) -> str:
            secrets = render.environment(
                layout.customer, gateway_token=values["token"], auth_password=values["password"]
            )
            return render.payload(layout, bundle(values["images"]), secrets)

        pinned = pulumi.Output.all(**images)
        return deployment(
            layout.deployment,
            DeploymentArgs(
                place=place,
                project=layout.slug,
                agent=f"{name}{AGENT_ENDING}",
                summary=pinned.apply(lambda values: render.summary(layout, bundle(values))),
                payload=pulumi.Output.all(images=pinned, token=token.token, password=token.password).apply(payload),
                remove_with=own.resource if own else None,
                within=CUSTOMER,
                # Records first: after a wrong DNS answer, an ACME client waits minutes before it retries.
                after=[record],
                reached=args.after,
                former_names=[layout.deployment, *([layout.old_deployment] if layout.place else [])],
            ),
            self,
        )


def _address(args: CustomerArgs) -> ExistingServer:
    found = args.layout.customer.existing_server
    if found is None:
        raise ValueError(f"customer {args.layout.id}: the layout has neither a server nor a shared host")
    return found


def _existing(args: CustomerArgs) -> HostTarget:
    """Return the customer's existing server, which outlives the customer."""
    found = _address(args)
    ipv4 = pulumi.Output.from_input(str(found.ipv4))
    return HostTarget(
        identity=ipv4,
        ipv4=ipv4,
        connection=connection(ipv4, found.host_key, args.foundation.login_key),
    )


def _token_args(layout: CustomerLayout) -> GatewayTokenArgs:
    customer = layout.customer
    return GatewayTokenArgs(
        version=customer.token_version,
        independent_password=customer.auth_password == "independent",  # noqa: S105 -- a mode, not a password
        given=customer.gateway_token.get_secret_value() if customer.gateway_token else None,
    )


def _pinned(layout: CustomerLayout, images: ImagePins) -> dict[str, pulumi.Output[str]]:
    """Return the customer's pinned images by role; the browser's is resolved only if the plan has a browser."""
    browser = layout.images.browser
    return {
        "gateway": images.pin(layout.images.gateway),
        "proxy": images.pin(layout.images.proxy),
        "browser": images.pin(browser) if layout.plan.browser else pulumi.Output.from_input(browser),
    }
