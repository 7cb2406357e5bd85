"""Putting images into a registry with its own HTTP protocol (the distribution specification's push)."""

from __future__ import annotations

import http.client
import ssl
import urllib.parse
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from localcloud.images.errors import ImageError
from localcloud.images.layers import Progress
from localcloud.images.oci import MANIFEST_TYPE, Image, sha256

_SECONDS = 120.0


class Registry:
    """A connection to the registry at `address` (host:port), whose certificate `authority` (a PEM file) has signed."""

    def __init__(self, address: str, authority: Path) -> None:
        self.address = address
        context = ssl.create_default_context(cafile=authority)
        self._connection = http.client.HTTPSConnection(address, timeout=_SECONDS, context=context)

    def __enter__(self) -> Registry:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def digest(self, repository: str, tag: str) -> str | None:
        """The digest of the manifest that a tag stands for, or None where there is no such tag."""
        status, headers = self._ask("HEAD", f"/v2/{repository}/manifests/{tag}", {"Accept": MANIFEST_TYPE})
        if status == http.client.NOT_FOUND:
            return None
        self._expect(status, http.client.OK, f"the tag {repository}:{tag} could not be looked up")
        return headers.get("Docker-Content-Digest")

    def push(self, image: Image, progress: Progress = lambda _: None) -> bool:
        """Upload what is missing of `image`; says whether anything was."""
        if self.digest(image.repository, image.tag) == image.digest:
            return False
        progress(f"pushing {image.reference} ({image.size / 1e6:.0f} MB)")
        for layer in image.layers:
            if not self._has(image.repository, layer.digest):
                with layer.path.open("rb") as file:
                    self._upload(image.repository, layer.digest, file, layer.size)
        if not self._has(image.repository, sha256(image.config)):
            self._upload(image.repository, sha256(image.config), image.config, len(image.config))
        path = f"/v2/{image.repository}/manifests/{image.tag}"
        status, _ = self._ask("PUT", path, {"Content-Type": MANIFEST_TYPE}, image.manifest)
        self._expect(status, http.client.CREATED, f"the manifest of {image.reference} was not accepted")
        return True

    def _has(self, repository: str, digest: str) -> bool:
        status, _ = self._ask("HEAD", f"/v2/{repository}/blobs/{digest}")
        return status == http.client.OK

    def _upload(self, repository: str, digest: str, content: bytes | BinaryIO, size: int) -> None:
        status, headers = self._ask("POST", f"/v2/{repository}/blobs/uploads/", body=b"")
        self._expect(status, http.client.ACCEPTED, f"an upload to {repository} was not accepted")
        place = urllib.parse.urlsplit(headers["Location"])
        query = f"{place.query}&" if place.query else ""
        path = f"{place.path}?{query}digest={urllib.parse.quote(digest)}"
        fields = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        status, _ = self._ask("PUT", path, fields, content)
        self._expect(status, http.client.CREATED, f"the blob {digest} of {repository} was not accepted")

    def _ask(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes | BinaryIO | None = None
    ) -> tuple[int, http.client.HTTPMessage]:
        try:
            self._connection.request(method, path, body=body, headers=headers or {})
            answer = self._connection.getresponse()
            self._last = answer.read().decode(errors="replace").strip()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise ImageError(f"the image registry at {self.address} does not answer: {error}") from error
        return answer.status, answer.headers

    def _expect(self, status: int, wanted: int, problem: str) -> None:
        if status != wanted:
            raise ImageError(f"{problem}: the registry at {self.address} answered {status} {self._last[:500]}")


def publish(address: str, authority: Path, images: Sequence[Image], progress: Progress) -> None:
    """Push all images."""
    with Registry(address, authority) as registry:
        for image in images:
            registry.push(image, progress)
