"""What a program must know to use a cloud: the content of its info.json."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from localcloud.paths import Paths
from localcloud.settings import Settings, write_private

if TYPE_CHECKING:
    # Slow to import, and whoever only reads the file needs none of it.
    from localcloud.services.ca import CertificateAuthority


@dataclass(frozen=True)
class Acme:
    """`root` (a PEM file) has signed the certificate that the server at `directory` shows."""

    directory: str
    root: str


@dataclass(frozen=True)
class Info:
    """Paths are absolute; what a cloud without machines does not have is None."""

    name: str
    endpoint: str
    token: str
    dns: str
    ca: str
    ca_directory: str
    api_only: bool
    registry: str | None = None
    registry_push: str | None = None
    registry_ca: str | None = None
    acme: Acme | None = None
    docker_host: str | None = None

    @classmethod
    def basic(cls, paths: Paths, settings: Settings, authority: CertificateAuthority) -> Info:
        """What every cloud has."""
        return cls(
            name=paths.name,
            endpoint=settings.endpoint,
            token=settings.token,
            dns=settings.dns,
            ca=str(authority.bundle),
            ca_directory=str(authority.directory),
            api_only=settings.api_only,
        )

    def with_machines(
        self, *, registry: str, registry_push: str, registry_ca: str, acme: Acme, docker_host: str
    ) -> Info:
        """What a cloud with machines has too."""
        return replace(
            self,
            registry=registry,
            registry_push=registry_push,
            registry_ca=registry_ca,
            acme=acme,
            docker_host=docker_host,
        )

    def save(self, path: Path) -> None:
        """Write it; only its owner may read it, because of the token."""
        write_private(path, asdict(self))

    @classmethod
    def load(cls, path: Path) -> Info | None:
        """What the last start has written, or None before the first."""
        try:
            document = json.loads(path.read_text())
        except FileNotFoundError:
            return None
        return cls(**{**document, "acme": Acme(**document["acme"]) if document["acme"] else None})
