"""The files of a deployment without secrets, as values."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clawdet_infra.agent.names import COMPILE_CACHE, owned
from clawdet_infra.agent.package import SHARED_FILES, bare, shared_file
from clawdet_infra.config import AcmeAccess, Release
from clawdet_infra.layout import CustomerLayout, HostLayout
from clawdet_infra.render.templates import fill

COMPOSE_FILE = "compose.yaml"

# Node.js uses memory outside of its heap: code, buffers, SQLite, and the tools that an assistant starts.
_HEAP_SHARE = 0.75

# Processes in a container run as another user than the one that owns its files on the server.
_READABLE = 0o644


@dataclass(frozen=True)
class BundleFile:
    """One file: its text and its mode on the server.

    `shared` is its name in the agent, which contains the files that all customers share; None for other files.
    """

    content: str
    mode: int = _READABLE
    shared: str | None = None


@dataclass(frozen=True)
class Bundle:
    """The files of one deployment, by path below its directory on the server.

    `compose.yaml` belongs to one release.  All others are under `config/<hash of the content>/`, so that a container is
    recreated exactly when a file that it mounts has changed.  No container mounts `Caddyfile`: the deployment copies it
    to the proxy's path, and reloads the proxy.

    `compile_cache` is the suffix of the gateway's volume for compiled modules, after the project's name; None without a
    gateway.
    """

    files: Mapping[str, BundleFile]
    images: Mapping[str, str]
    compile_cache: str | None = None

    @property
    def digest(self) -> str:
        """The digest of the content, the same on every machine: 64 hexadecimal digits."""
        content = {path: [file.mode, file.content] for path, file in sorted(self.files.items())}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def bundle(
    customer: CustomerLayout,
    *,
    images: Release,
    acme: AcmeAccess | None = None,
    acme_email: str = "",
    offline: bool = False,
    own_ca: bool = False,
) -> Bundle:
    """Return the files of a customer's deployment.

    `images` are the references to run, normally pinned as `name@sha256:…`.  `acme` is None for the public certificate
    authorities.  `offline` is for servers without internet access: the gateway then makes no requests to the internet,
    and its Telegram channel stays off.  With `own_ca` the proxy signs its own certificates, for servers that no
    authority can reach.
    """
    values = {
        "customer": f"Customer {customer.id}",
        "project": customer.slug,
        "fqdn": customer.fqdn,
        "url": customer.url,
        "user": customer.user,
        "telegram": customer.customer.telegram_bot_token is not None,
        "browser": customer.plan.browser,
        "offline": offline,
        "limits": customer.limits,
        "browser_limits": customer.browser_limits,
        "heap": int(customer.limits.memory * _HEAP_SHARE),
        **_acme_values(acme, acme_email, own_ca),
    }
    # One volume per image: the gateway stores code there, which must not reach the next image.
    cache = f"{COMPILE_CACHE}{_hash(images.gateway)}"
    values["compile_cache_volume"] = owned(customer.slug, cache)
    proxy = "dedicated" if customer.plan.dedicated else "tenant"
    config = {
        "openclaw.json": fill("gateway/openclaw.json.j2", **values),
        "Caddyfile": fill(f"caddy/{proxy}.Caddyfile.j2", **values),
        **(_acme_root(acme) if customer.plan.dedicated else {}),
    }
    wanted = {"gateway": images.gateway, "proxy": images.proxy}
    if customer.plan.browser:
        wanted["browser"] = images.browser
    return _bundle(f"{customer.plan.name}.compose.yaml.j2", config, SHARED_FILES, wanted, values, cache)


def host_bundle(
    host: HostLayout, *, proxy: str, acme: AcmeAccess | None = None, acme_email: str = "", own_ca: bool = False
) -> Bundle:
    """Return the files of a shared host's edge proxy; the arguments are those of `bundle`."""
    values = {
        "host": f"Shared host {host.id}",
        "project": host.project,
        **_acme_values(acme, acme_email, own_ca),
    }
    config = {
        "Caddyfile": fill("caddy/edge.Caddyfile.j2", **values),
        **_acme_root(acme),
    }
    return _bundle("edge.compose.yaml.j2", config, ["caddy/entry.caddyfile"], {"proxy": proxy}, values)


def site(customer: CustomerLayout) -> str:
    """Return the edge proxy's configuration for one customer of a shared host."""
    return fill("caddy/site.caddy.j2", fqdn=customer.fqdn, project=customer.slug)


def _bundle(
    compose: str,
    own: dict[str, str],
    shared: Sequence[str],
    images: dict[str, str],
    values: dict[str, Any],
    cache: str | None = None,
) -> Bundle:
    config = {name: BundleFile(bare(name, content)) for name, content in own.items()}
    config |= {path.rpartition("/")[2]: BundleFile(shared_file(path), shared=path) for path in shared}
    placed = {name: f"config/{_hash(file.content)}/{name}" for name, file in config.items()}

    def mount(name: str, target: str) -> str:
        return json.dumps(f"./{placed[name]}:{target}:ro")

    files = {placed[name]: file for name, file in config.items()}
    files[COMPOSE_FILE] = BundleFile(bare(COMPOSE_FILE, fill(compose, images=images, mount=mount, **values)), 0o600)
    return Bundle(files, images, cache)


def _hash(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _acme_values(acme: AcmeAccess | None, email: str, own_ca: bool) -> dict[str, Any]:
    return {
        "acme_email": email,
        "acme_directory": acme.directory if acme else None,
        "acme_root": bool(acme and acme.root),
        "own_ca": own_ca,
    }


def _acme_root(acme: AcmeAccess | None) -> dict[str, str]:
    return {"acme-root.pem": Path(acme.root).read_text(encoding="ascii")} if acme and acme.root else {}
