"""The image registry: Debian's docker-registry, with TLS from the local authority, twice over one storage.

The one on the gateway's address is what servers pull from. It is read-only, because every container on every server
reaches it. The one on the loopback address takes pushes, which therefore come from this machine alone.

The storage is in the cache and shared by all clouds of this user: content is addressed by its digest, so several
registries may use one folder, and what one cloud pushed, the next one finds.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import ssl
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from localcloud.services.ca import CertificateAuthority, KeyPair
from localcloud.services.child import Child
from localcloud.services.errors import ServiceError

PORT = 5000
"""The port on the gateway's address."""
LOOPBACK = IPv4Address("127.0.0.1")


def configuration(address: IPv4Address, port: int, pair: KeyPair, storage: Path, *, writable: bool) -> dict[str, Any]:
    """A registry's configuration; JSON is YAML too, so it needs no other writer."""
    return {
        "version": "0.1",
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(storage)},
            # Clouds share the folder; none of them may take another's running upload for an abandoned one.
            "maintenance": {"uploadpurging": {"enabled": False}, "readonly": {"enabled": not writable}},
        },
        "http": {
            "addr": f"{address}:{port}",
            "tls": {"certificate": str(pair.certificate), "key": str(pair.key), "minimumtls": "tls1.2"},
        },
    }


def registries(
    gateway: IPv4Address, push_port: int, authority: CertificateAuthority, storage: Path, folder: Path
) -> tuple[Child, Child]:
    """The registries of a cloud, not started yet: for pulls on the gateway, for pushes on a port of the loopback.

    `folder` is for their configurations and logs.
    """
    program = shutil.which("docker-registry")
    if program is None:
        raise ServiceError("docker-registry is not installed; install it with: apt-get install docker-registry")
    storage.mkdir(parents=True, exist_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    context = ssl.create_default_context(cafile=authority.root)

    def child(name: str, address: IPv4Address, port: int, *, writable: bool) -> Child:
        file = folder / f"{name}.json"
        settings = configuration(address, port, authority.issue(name, [address]), storage, writable=writable)
        file.write_text(json.dumps(settings, indent=2))

        async def ready() -> None:
            _, writer = await asyncio.open_connection(str(address), port, ssl=context)
            writer.close()

        return Child(
            "the image registry" if not writable else "the image registry for pushes",
            [program, "serve", str(file)],
            listens=(address, port),
            ready=ready,
            log=folder / f"{name}.log",
        )

    return (
        child("registry", gateway, PORT, writable=False),
        child("registry-push", LOOPBACK, push_port, writable=True),
    )
