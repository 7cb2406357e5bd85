"""Images as the registry has them: compressed layers, a configuration, a manifest.

They are written directly instead of through `docker import` and `docker push`: a layer is compressed once, the same
inputs give the same digest on every machine, and no Docker is needed to make or to publish an image.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
LAYER_TYPE = "application/vnd.docker.image.rootfs.diff.tar.gzip"

CREATED = "2026-11-01T00:00:00Z"
"""Every image carries this date, so that its digest depends on nothing but its content."""
EPOCH = 1793491200
"""`CREATED` as seconds, for files that a recipe writes itself."""


def sha256(data: bytes) -> str:
    """The digest of `data` as image formats spell it."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class Layer:
    """A compressed tar archive on disk."""

    path: Path
    digest: str
    """Of the compressed file: its name in a registry."""
    diff_id: str
    """Of the archive in it: its name in an image's configuration."""
    size: int
    """Bytes, compressed."""


@dataclass(frozen=True)
class Execution:
    """How a container of the image runs: the fields of a Dockerfile that have a meaning at run time."""

    command: Sequence[str]
    entrypoint: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    directory: str = "/"
    ports: Sequence[str] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    healthcheck: Mapping[str, Any] | None = None

    def document(self) -> dict[str, Any]:
        """The `config` object of an image's configuration."""
        document: dict[str, Any] = {
            "Cmd": list(self.command),
            "Env": [f"{name}={value}" for name, value in self.environment.items()],
            "WorkingDir": self.directory,
            "Labels": dict(self.labels),
        }
        if self.entrypoint:
            document["Entrypoint"] = list(self.entrypoint)
        if self.user:
            document["User"] = self.user
        if self.ports:
            document["ExposedPorts"] = {port: {} for port in self.ports}
        if self.healthcheck:
            document["Healthcheck"] = dict(self.healthcheck)
        return document


@dataclass(frozen=True)
class Image:
    """One image for one platform (linux/amd64), named as in its public registry, but without that registry's host."""

    repository: str
    tag: str
    layers: tuple[Layer, ...]
    execution: Execution

    @property
    def reference(self) -> str:
        """Name and tag."""
        return f"{self.repository}:{self.tag}"

    @property
    def config(self) -> bytes:
        """The configuration blob."""
        return _canonical(
            {
                "architecture": "amd64",
                "os": "linux",
                "created": CREATED,
                "config": self.execution.document(),
                "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in self.layers]},
                "history": [{"created": CREATED, "created_by": "clawdet"} for _ in self.layers],
            }
        )

    @property
    def manifest(self) -> bytes:
        """The manifest, in Docker's own format: every client, however old, asks for it."""
        return _canonical(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST_TYPE,
                "config": {
                    "mediaType": CONFIG_TYPE,
                    "size": len(self.config),
                    "digest": sha256(self.config),
                },
                "layers": [
                    {"mediaType": LAYER_TYPE, "size": layer.size, "digest": layer.digest} for layer in self.layers
                ],
            }
        )

    @property
    def digest(self) -> str:
        """What a pinned reference names: the digest of the manifest."""
        return sha256(self.manifest)

    @property
    def size(self) -> int:
        """Bytes that a pull transfers."""
        return sum(layer.size for layer in self.layers) + len(self.config)


def _canonical(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
