"""Image references, and the digests that a registry has for them."""

from __future__ import annotations

import hashlib
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass

from localcloud.machines.base import MachineError

MANIFEST_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
ASK_SECONDS = 20.0


@dataclass(frozen=True)
class Reference:
    """`registry/repository:tag` or `registry/repository@sha256:…`."""

    registry: str
    repository: str
    tag: str
    digest: str

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read a reference that names its registry; raises MachineError for any other."""
        registry, slash, rest = text.partition("/")
        if not slash or not ({".", ":"} & set(registry)):
            raise MachineError(f"image {text!r} does not name its registry, as in 10.16.0.1:5000/library/caddy:2.11.9")
        rest, _, digest = rest.partition("@")
        repository, _, tag = rest.partition(":")
        return cls(registry, repository, tag, digest)

    @property
    def text(self) -> str:
        """The reference as it is written."""
        tag, digest = self.tag and f":{self.tag}", self.digest and f"@{self.digest}"
        return f"{self.registry}/{self.repository}{tag}{digest}"


def resolve(reference: Reference, authority: str) -> str:
    """Ask the registry, over TLS that `authority` (PEM) vouches for, which digest the reference has now."""
    if reference.digest:
        return reference.digest
    url = f"https://{reference.registry}/v2/{reference.repository}/manifests/{reference.tag or 'latest'}"
    request = urllib.request.Request(url, method="HEAD", headers={"Accept": ", ".join(MANIFEST_TYPES)})
    context = ssl.create_default_context(cadata=authority)
    # A proxy that this machine uses for the internet cannot reach the registry.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(request, timeout=ASK_SECONDS) as answer:
            digest = answer.headers.get("Docker-Content-Digest")
    except urllib.error.HTTPError as error:
        with error:
            raise MachineError(f"the registry has no image {reference.text}: it answered {error.code}") from error
    except OSError as error:
        raise MachineError(f"the registry at {reference.registry} does not answer: {error}") from error
    if not digest:
        raise MachineError(f"the registry at {reference.registry} gave no digest for {reference.text}")
    return str(digest)


def fingerprint(base: str, resolved: Iterable[tuple[Reference, str]]) -> str:
    """Sixteen hexadecimal digits for a server image and a set of images.

    The registry's address is left out: each cloud has its own, and Docker recognises layers by their content.
    """
    parts = sorted(f"{reference.repository}:{reference.tag}@{digest}" for reference, digest in resolved)
    return hashlib.sha256("\n".join([base, *parts]).encode()).hexdigest()[:16]
