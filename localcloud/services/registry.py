"""The image registry: Debian's docker-registry on the gateway's address, with TLS from the local authority.

Its storage is in the cache and shared by all clouds of this user: content is addressed by its digest, so several
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


def configuration(address: IPv4Address, pair: KeyPair, storage: Path) -> dict[str, Any]:
    """The registry's configuration; JSON is YAML too, so it needs no other writer."""
    return {
        "version": "0.1",
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(storage)},
            # Clouds share the folder; none of them may take another's running upload for an abandoned one.
            "maintenance": {"uploadpurging": {"enabled": False}},
        },
        "http": {
            "addr": f"{address}:{PORT}",
            "tls": {"certificate": str(pair.certificate), "key": str(pair.key), "minimumtls": "tls1.2"},
        },
    }


def registry(address: IPv4Address, authority: CertificateAuthority, storage: Path, folder: Path) -> Child:
    """The registry of a cloud, not started yet; `folder` is for its configuration and its log."""
    program = shutil.which("docker-registry")
    if program is None:
        raise ServiceError("docker-registry is not installed; install it with: apt-get install docker-registry")
    storage.mkdir(parents=True, exist_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    pair = authority.issue("registry", [address])
    file = folder / "registry.json"
    file.write_text(json.dumps(configuration(address, pair, storage), indent=2))
    context = ssl.create_default_context(cafile=authority.root)

    async def ready() -> None:
        _, writer = await asyncio.open_connection(str(address), PORT, ssl=context)
        writer.close()

    return Child(
        "the image registry",
        [program, "serve", str(file)],
        listens=(address, PORT),
        ready=ready,
        log=folder / "registry.log",
    )
