"""What the engine does not remove by itself: protection, and a deployment that failed the first time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address
from typing import Any

from pydantic import SecretStr

from clawdet_infra import render
from clawdet_infra.automation.error_mapping import provider_failure
from clawdet_infra.config import CloudAccess
from clawdet_infra.error_line import FailureCode, read
from clawdet_infra.hosts import HostError, Hosts
from clawdet_infra.inventory.instance import Server
from clawdet_infra.layout import CustomerLayout, deployed_customer
from clawdet_infra.resources import SERVER

_REMOVE_SECONDS = 180
_CHANGE_SECONDS = 60


class LeftoverError(Exception):
    """What keeps a customer from being removed could not be taken away; one sentence without secrets."""

    def __init__(self, message: str, code: FailureCode = FailureCode.DEPLOYMENT) -> None:
        super().__init__(message)
        self.code = code


def protected(resources: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the URNs of those resources that the engine refuses to delete."""
    return [str(one["urn"]) for one in resources if one.get("protect")]


def unprotect_servers(cloud: CloudAccess, resources: Sequence[Mapping[str, Any]]) -> list[str]:
    """Take the cloud's own protection from the servers among some resources; return the URNs of those that are gone.

    Raises LeftoverError.
    """
    from hcloud import APIException, HCloudException
    from requests import RequestException

    code = FailureCode.DEPLOYMENT
    try:
        return _unprotect(cloud, resources)
    except APIException as error:
        why, code = f"{error.message} ({error.code})", provider_failure(error.code)
    except (HCloudException, RequestException, TimeoutError) as error:
        why = f"the provider does not answer ({type(error).__name__})"
    raise LeftoverError(f"the server's protection could not be taken away: {why}", code)


def _unprotect(cloud: CloudAccess, resources: Sequence[Mapping[str, Any]]) -> list[str]:
    from hcloud import APIException, Client

    client = Client(token=cloud.token.get_secret_value(), api_endpoint=cloud.api)
    gone: list[str] = []
    for one in resources:
        if one["type"] != SERVER or not str(one.get("id", "")).isdigit():
            continue
        try:
            server = client.servers.get_by_id(int(one["id"]))
        except APIException as error:
            if error.code == "not_found":
                gone.append(str(one["urn"]))
                continue
            raise
        client.servers.change_protection(server, delete=False, rebuild=False).wait_until_finished(_CHANGE_SECONDS)
    return gone


def is_deployed(resources: Sequence[Mapping[str, Any]], customer: str) -> bool:
    """Return whether the engine knows of a customer's deployment, and will remove it by itself."""
    return any(
        one.get("custom") and deployed_customer(str(one["urn"]).rpartition("::")[2]) == customer for one in resources
    )


def remove_from(server: Server, login_key: SecretStr, layout: CustomerLayout, fleet_offline: bool) -> None:
    """Remove from a server that stays what a deployment has left that failed the first time.  Raises HostError."""
    bundle = render.bundle(layout, images=layout.images, acme_email="", offline=fleet_offline)
    payload = render.payload(layout, bundle, "")
    asyncio.run(_run(server, login_key, payload))


async def _run(server: Server, login_key: SecretStr, payload: str) -> None:
    async with Hosts({server.stack: login_key}) as hosts:
        host = await hosts.on(server)
        done = await host.agent("remove", stdin=payload, seconds=_REMOVE_SECONDS)
        if not done.ok:
            why = " ".join(read(done.errors)[1].split())[-300:]
            raise HostError(f"what a failed deployment left on {server.ipv4} could not be removed: {why}")


def server_of(name: str, stack: str, facts: Mapping[str, Any]) -> Server:
    """Return a server by what a stack exports of it."""
    return Server(name=name, stack=stack, ipv4=IPv4Address(facts["ipv4"]), host_key=str(facts["host_key"]))
