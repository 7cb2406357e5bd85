"""Container image references, in Docker's own grammar."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator

from clawdet_infra.config.base import Record, Text
from clawdet_infra.config.problems import quoted, write, wrong

DEFAULT_REGISTRY = "docker.io"
LONGEST_REPOSITORY = 255

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_DOMAIN_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = rf"(?:{_DOMAIN_LABEL}(?:\.{_DOMAIN_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_REFERENCE = re.compile(
    rf"(?P<name>(?:{_HOST}/)?{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?"
    r"(?:@(?P<digest>[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?"
)
_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Image:
    """The parts of an image reference: `registry/repository[:tag][@digest]`."""

    registry: str
    repository: str
    tag: str | None
    digest: str | None

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.registry}/{self.repository}{tag}{digest}"

    def behind(self, prefix: str) -> str:
        """Return the reference with its registry replaced by `prefix`, such as `10.1.0.1:5000/`; "" keeps it."""
        full = str(self)
        return prefix + full.removeprefix(f"{self.registry}/") if prefix else full


def parse_image(reference: str) -> Image:
    """Parse an image reference, with Docker's own defaults (`caddy:2` is `docker.io/library/caddy:2`).

    Raises ValueError if it is not a reference.
    """
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise ValueError("not an image reference")
    first, slash, rest = match["name"].partition("/")
    named = bool(slash) and ("." in first or ":" in first or first == "localhost" or first != first.lower())
    registry, repository = (first, rest) if named else (DEFAULT_REGISTRY, match["name"])
    if registry in ("index.docker.io", "registry-1.docker.io"):
        registry = DEFAULT_REGISTRY
    if registry == DEFAULT_REGISTRY and "/" not in repository:
        repository = f"library/{repository}"
    if len(repository) > LONGEST_REPOSITORY:
        raise ValueError("the repository's name is too long")
    return Image(registry, repository, match["tag"], match["digest"])


def _pinned(reference: str) -> str:
    example = "Write it as REGISTRY/NAME:TAG, for example `ghcr.io/openclaw/openclaw:2026.9.6`."
    if reference.startswith(("http://", "https://")):
        plain = write(reference.partition("://")[2], otherwise=example)
        raise wrong("is a web address, not an image reference.", "" if plain else example, plain)
    try:
        image = parse_image(reference)
    except ValueError:
        trimmed = write(reference.strip()) if reference != reference.strip() else None
        raise wrong(f"{quoted(reference)} is not an image reference.", example, trimmed) from None
    if image.digest is not None and not _SHA256.fullmatch(image.digest):
        raise wrong("has a digest that is not `sha256:` and 64 lower-case hexadecimal digits.", example)
    if image.digest is None and image.tag is None:
        raise wrong("has neither tag nor digest, which means `latest`: the version would be unknown.", example)
    if image.digest is None and image.tag == "latest":
        raise wrong(
            "has the tag `latest`, which moves: two customers could run different images, and no preview "
            "would show an upgrade.",
            "Name a version that does not move.",
        )
    return reference


ImageReference = Annotated[Text, AfterValidator(_pinned)]
"""An image reference with a tag other than `latest`, or with a digest."""


class Release(Record):
    """The images that customers run.  Only plans with a browser use `browser`."""

    gateway: ImageReference
    proxy: ImageReference
    browser: ImageReference

    def behind(self, prefix: str) -> Release:
        """Return the release with the references of a registry that mirrors all others under `prefix`."""
        images = {name: parse_image(getattr(self, name)).behind(prefix) for name in type(self).model_fields}
        return Release(**images)

    def override(self, other: ReleaseOverride | None) -> Release:
        """Return this release with the images that `other` overrides."""
        return self if other is None else self.model_copy(update=other.model_dump(exclude_none=True))


class ReleaseOverride(Record):
    """A customer's overrides of the fleet's release."""

    gateway: ImageReference | None = None
    proxy: ImageReference | None = None
    browser: ImageReference | None = None
