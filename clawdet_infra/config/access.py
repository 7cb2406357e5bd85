"""How the fleet is reached: the cloud, its ACME server, and who may use SSH."""

from __future__ import annotations

import ipaddress
import re
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator

from clawdet_infra.config.addresses import special_meaning
from clawdet_infra.config.base import NonEmpty, Record, Text, Truth, text
from clawdet_infra.config.images import parse_image
from clawdet_infra.config.networks import AnyNetwork
from clawdet_infra.config.problems import Suggestion, quoted, write, wrong
from clawdet_infra.config.secrets import CloudToken

# Excludes characters with a meaning in configuration languages; in URLs they must be encoded anyway.
_URL = re.compile(r"https?://[^\s/?#@{}$\"'`\\]+(?:/[^\s?#{}$\"'`\\]*)?")


HETZNER = "https://api.hetzner.cloud/v1"
"""The endpoint of Hetzner's API."""


def _url(value: str) -> str:
    if not _URL.fullmatch(value):
        raise wrong(
            "is not the address of a service (not shown, it may hold a password).",
            "Write http:// or https://, a host and a path; no user, password or query.",
        )
    return value


def _https(value: str) -> str:
    if not value.startswith("https://"):
        secure = write(f"https://{value.removeprefix('http://')}")
        raise wrong(f"{quoted(value)} is not an https:// address; ACME is spoken over HTTPS only.", suggestion=secure)
    return value


def _resolver(value: str) -> str:
    host, colon, port = value.rpartition(":")
    try:
        ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
        good = bool(colon) and port.isascii() and port.isdigit() and 0 < int(port) < 65536
    except ValueError:
        good = False
    if not good:
        raise wrong(f"{quoted(value)} is not an address and a port.", "Write for example `127.0.0.1:8453`.")
    return value


def _image_prefix(value: str) -> str:
    if not value:
        return value
    if not value.endswith("/"):
        example = "Write for example `10.1.0.1:5000/`."
        raise wrong(f"{quoted(value)} does not end with a slash.", suggestion=write(f"{value}/", otherwise=example))
    try:
        parse_image(f"{value}library/example:1")
    except ValueError:
        raise wrong(
            f"{quoted(value)} cannot begin an image reference.", "Write for example `10.1.0.1:5000/`."
        ) from None
    return value


_WITH_PREFIX = "Write the prefix length too, such as `{}`."
_NETWORKS = "Write the networks of your operators and runners, such as `203.0.113.0/24`."


def _network(value: Any) -> Any:
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    written = str(text(value))
    if "/" not in written:
        single = _with_prefix(written)
        hint = "" if single else _WITH_PREFIX.format("203.0.113.7/32")
        raise wrong(f"{quoted(written)} is not a network.", hint, single)
    try:
        return ipaddress.ip_network(written)
    except ValueError:
        pass
    try:
        meant = ipaddress.ip_network(written.strip(), strict=False)
    except ValueError:
        raise wrong(f"{quoted(written)} is not a network.", "Write for example `203.0.113.7/32`.") from None
    raise wrong(f"{quoted(written)} is an address inside a network.", suggestion=write(str(meant), otherwise=_NETWORKS))


def _with_prefix(written: str) -> Suggestion | None:
    """Suggest the network with only this address; None if it is not an address."""
    try:
        network = str(ipaddress.ip_network(written.strip()))
    except ValueError:
        return None
    return write(network, _WITH_PREFIX.format(network), otherwise=_NETWORKS)


Url = Annotated[Text, AfterValidator(_url)]
HttpsUrl = Annotated[Url, AfterValidator(_https)]
Resolver = Annotated[Text, AfterValidator(_resolver)]
ImagePrefix = Annotated[Text, AfterValidator(_image_prefix)]
Network = Annotated[AnyNetwork, BeforeValidator(_network)]


def is_local(endpoint: str | None) -> bool:
    """Return whether an API endpoint is a local cloud's: its address is not on the public internet."""
    if endpoint is None:
        return False
    host = urlsplit(endpoint).hostname or ""
    try:
        return special_meaning(ipaddress.ip_address(host)) is not None
    except ValueError:
        return host == "localhost"


class AcmeAccess(Record):
    """An ACME server other than the public one: its directory, and the PEM file of the CA that signs its HTTPS."""

    directory: HttpsUrl
    root: Text | None = None


class CloudAccess(Record):
    """How the cloud is reached.

    Only a token means Hetzner Cloud.  A local cloud has its own `endpoint` and replacements for public services: a
    DNS `resolver` (address:port), a PEM bundle of its CAs (`ca_bundle`, and `ca_directory` in the format of
    SSL_CERT_DIR), a registry under `image_prefix` that mirrors all others, an ACME server, and the Docker daemon
    (`docker_host`) that its machines run on.
    """

    token: CloudToken
    endpoint: Url | None = None
    resolver: Resolver | None = None
    ca_bundle: Text | None = None
    ca_directory: Text | None = None
    image_prefix: ImagePrefix = ""
    acme: AcmeAccess | None = None
    docker_host: Text | None = None

    @property
    def api(self) -> str:
        """The endpoint of the cloud's API."""
        return self.endpoint or HETZNER

    @property
    def is_local(self) -> bool:
        """Whether this is a local cloud, whose servers have private addresses."""
        return is_local(self.endpoint)

    @property
    def public_authority(self) -> bool:
        """Whether certificates come from publicly trusted authorities instead of a local cloud's."""
        return self.endpoint is None and self.acme is None


class SshAccess(Record):
    """Who may reach port 22: networks in CIDR notation; the whole internet only if `open_to_world` is set."""

    sources: NonEmpty[Network]
    open_to_world: Truth = False
