"""What is probed, and with which credentials."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from clawdet_infra.redaction import Redactor


class Target(BaseModel):
    """One customer's gateway.

    `ipv4`, where given, is the address that the name must have.  `resolver` ("address:port") is asked
    instead of the system's, `ca_bundle` (path of a PEM file) is trusted instead of the system's authorities.  Without
    `gateway_token` the gateway's API is not asked.  With `ipv6_records` the IPv6 addresses that the name has, although
    the fleet publishes none, have to serve it too.  `stale_dns_seconds` is how long a resolver may keep an address that
    the name had before.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    customer: str
    url: str
    user: str
    password: SecretStr
    gateway_token: SecretStr | None = None
    ipv4: IPv4Address | None = None
    ipv6_records: bool = False
    resolver: str | None = None
    ca_bundle: str | None = None
    deadline_seconds: Annotated[float, Field(gt=0, le=3600)] = 180
    stale_dns_seconds: Annotated[float, Field(ge=0, le=3600)] = 0
    request_seconds: Annotated[float, Field(gt=0, le=60)] = 10

    @field_validator("url")
    @classmethod
    def _https_origin(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname or parts.path not in ("", "/") or parts.username:
            raise ValueError("the URL must be https://NAME or https://NAME:PORT")
        return url.rstrip("/")

    @field_validator("resolver")
    @classmethod
    def _address_and_port(cls, resolver: str | None) -> str | None:
        if resolver is not None:
            host, _, port = resolver.rpartition(":")
            ip_address(host.strip("[]"))
            int(port)
        return resolver

    @property
    def host(self) -> str:
        """The name that is looked up and that the certificate must have."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """The TCP port."""
        return urlsplit(self.url).port or 443

    @property
    def redact(self) -> Redactor:
        """What takes this target's secrets out of a text."""
        password = self.password.get_secret_value()
        token = self.gateway_token.get_secret_value() if self.gateway_token else ""
        # Name and password together are what basic auth encodes.
        return Redactor([password, f"{self.user}:{password}", token])
