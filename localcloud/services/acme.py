"""The ACME server: Pebble, Let's Encrypt's own small one for tests, with DNS answers from this cloud's name server.

Pebble keeps nothing and makes a new authority at each start, so each start's root is fetched and added to what this
cloud trusts; certificates from before stay valid, and Caddy registers anew by itself.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import urllib.request
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from localcloud.go_binaries import GoProgram
from localcloud.services.ca import CertificateAuthority, KeyPair
from localcloud.services.child import Child

PORT = 14000
PROGRAM = GoProgram("pebble", Path(__file__).parent / "pebble", "github.com/letsencrypt/pebble/v2/cmd/pebble")

_LOOPBACK = IPv4Address("127.0.0.1")
_DAYS = 90

# Pebble is made to annoy clients in tests of clients: it waits before it validates and refuses good nonces.
_ENVIRONMENT = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"}


def directory_url(address: IPv4Address) -> str:
    """Where ACME clients begin."""
    return f"https://{address}:{PORT}/dir"


def configuration(address: IPv4Address, management_port: int, pair: KeyPair) -> dict[str, Any]:
    """Pebble's configuration: challenges on the public ports, no advice to wait between polls."""
    return {
        "pebble": {
            "listenAddress": f"{address}:{PORT}",
            "managementListenAddress": f"{_LOOPBACK}:{management_port}",
            "certificate": str(pair.certificate),
            "privateKey": str(pair.key),
            "httpPort": 80,
            "tlsPort": 443,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": False,
            "domainBlocklist": [],
            "retryAfter": {"authz": 0, "order": 0},
            "keyAlgorithm": "ecdsa",
            "profiles": {"default": {"description": "As Let's Encrypt's classic one", "validityPeriod": _DAYS * 86400}},
        }
    }


def acme_server(
    program: Path,
    address: IPv4Address,
    dns_port: int,
    authority: CertificateAuthority,
    folder: Path,
) -> Child:
    """The ACME server of a cloud, not started yet; `folder` is for its configuration and its log.

    After each start the new root is among what `authority` trusts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pair = authority.issue("acme", [address, _LOOPBACK])
    management_port = _free_port()
    file = folder / "pebble.json"
    file.write_text(json.dumps(configuration(address, management_port, pair), indent=2))
    context = ssl.create_default_context(cafile=authority.root)

    def fetch_root() -> bytes:
        # The directory first: it is what clients need, and it listens a moment after the management address.
        for url in (directory_url(address), f"https://{_LOOPBACK}:{management_port}/roots/0"):
            with urllib.request.urlopen(url, timeout=5, context=context) as answer:  # noqa: S310  (our own URLs)
                content: bytes = answer.read()
        return content

    async def ready() -> None:
        authority.trust(await asyncio.to_thread(fetch_root))

    argv = [str(program), "-config", str(file), "-dnsserver", f"{_LOOPBACK}:{dns_port}"]
    return Child(
        "the ACME server", argv, listens=(address, PORT), ready=ready, log=folder / "acme.log", environment=_ENVIRONMENT
    )


def _free_port() -> int:
    with socket.create_server((str(_LOOPBACK), 0)) as server:
        port: int = server.getsockname()[1]
        return port
