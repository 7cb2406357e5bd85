"""Tells without the engine that nothing which decides about a stack has changed since its last update.

A fingerprint is a digest of all that the program makes a stack from.  It is kept, together with the version of the
state that the update left.  A stack is unchanged only where both are still the same; whatever cannot be known makes
the engine be asked.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Protocol

from clawdet_infra.resources import STACK

CODE = Path(__file__).resolve().parents[2]
"""The folder that the code and its templates are in."""

UPDATED = "updated"
"""The outcome of an update that did all that it was to do."""

_FORMAT = "1"
_FOLDERS = ("clawdet_infra", "templates", "toolchain")
_POLICIES = ("policy",)
_PINS = ("requirements/runtime.txt",)
_PROGRAM = ("__main__.py", "Pulumi.yaml")
_PACKAGES = ("pulumi", "pulumi-command", "pulumi-docker", "pulumi-hcloud", "pulumi-random", "pydantic", "jinja2")
_DECIDING = ("PULUMI_BACKEND_URL", "PULUMI_CONFIG", "HCLOUD_TOKEN", "HCLOUD_ENDPOINT")
_IGNORED = frozenset({"__pycache__"})


class FingerprintLike(Protocol):
    """What is kept of a stack's last update."""

    @property
    def fingerprint(self) -> str:
        """The fingerprint of what it was made from."""
        ...

    @property
    def version(self) -> str:
        """The version of the state that it left."""
        ...

    @property
    def outcome(self) -> str:
        """How it ended."""
        ...

    @property
    def at(self) -> datetime:
        """When it ended."""
        ...


class Fingerprints(Protocol):
    """Where marks are kept, such as the catalog."""

    def mark(self, stack: str) -> FingerprintLike | None:
        """Return the mark of a stack's last update."""
        ...


class Fingerprinted(Protocol):
    """A stack as far as its fingerprint goes."""

    @property
    def name(self) -> str:
        """The stack's name."""
        ...

    def fingerprint(self, *, policies: bool) -> str | None:
        """Return a digest of all that decides; None where not all of it can be known."""
        ...

    def version(self) -> str | None:
        """Return what changes whenever the state does; None where that is not known."""
        ...


def is_unchanged(stack: Fingerprinted, marks: Fingerprints, policy_pack: str | None) -> bool:
    """Say whether nothing that decides about a stack has changed since its last successful update."""
    mark = marks.mark(stack.name)
    if mark is None or mark.outcome != UPDATED or not mark.fingerprint or not mark.version:
        return False
    # The cheap question first: an update by anybody else changes the version.
    if stack.version() != mark.version:
        return False
    return stack.fingerprint(policies=policy_pack is not None) == mark.fingerprint


def fingerprint(
    program: str, configuration: Mapping[str, bytes | str | None], images: Mapping[str, str], *, policies: str | None
) -> str:
    """Return the fingerprint of a stack.

    `program` is that of `program_digest`, `configuration` whatever else the stack is made from, by name, `images` the
    digest of each tag that the configuration names, and `policies` the digest of the pack that is applied.
    """
    parts: list[tuple[str, bytes]] = [("format", _FORMAT.encode()), ("program", program.encode())]
    parts += [(f"config {name}", _bytes(value)) for name, value in sorted(configuration.items())]
    parts += [(f"image {name}", digest.encode()) for name, digest in sorted(images.items())]
    parts += [("policies", (policies or "").encode())]
    parts += [(f"variable {name}", value) for name, value in _variables()]
    return _digest(parts)


def program_digest(project: Path, code: Path = CODE) -> str:
    """Return a digest of the program: the project's own files, and the code, templates and pins that it uses.

    What is installed of the pinned packages counts too, since it is that which runs.
    """
    parts = list(_contents(code, _files(code, _FOLDERS, _PINS)))
    parts += _contents(project, _files(project, (), _PROGRAM))
    parts.append(("python", ".".join(map(str, sys.version_info[:2])).encode()))
    parts += [(f"installed {name}", _installed(name).encode()) for name in _PACKAGES]
    return _digest(parts)


def policies_digest(code: Path = CODE) -> str:
    """Return a digest of the policy pack."""
    return _digest(_contents(code, _files(code, _POLICIES, ())))


def content_version(file: Path) -> str | None:
    """Return the version of a checkpoint that is a file: a digest of its content; None where it cannot be read."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return None


def output_version(file: Path, output: str) -> str | None:
    """Return the version of one output of a checkpoint that is a file; None where it has none or cannot be read.

    Another update of the stack that leaves the output as it was does not change it.
    """
    try:
        content = file.read_bytes()
        state = json.loads(gzip.decompress(content) if file.suffix == ".gz" else content)
        found = [one for one in state["checkpoint"]["latest"]["resources"] if one["type"] == STACK]
        return hashlib.sha256(json.dumps(found[0]["outputs"][output], sort_keys=True).encode()).hexdigest()
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _variables() -> Iterator[tuple[str, bytes]]:
    for name in _DECIDING:
        value = os.environ.get(name)
        # By a digest alone: a token must not be read out of what is kept, and has enough entropy not to be guessed.
        yield name, b"" if value is None else hashlib.sha256(value.encode()).digest()


def _files(root: Path, folders: Iterable[str], single: Iterable[str]) -> Iterator[Path]:
    for folder in folders:
        for file in sorted((root / folder).rglob("*")):
            if file.is_file() and _IGNORED.isdisjoint(file.parts):
                yield file
    yield from (root / name for name in single)


def _contents(root: Path, files: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    for file in files:
        yield f"file {file.relative_to(root)}", file.read_bytes() if file.is_file() else b""


def _installed(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _bytes(value: bytes | str | None) -> bytes:
    if value is None:
        return b"none"
    return b"is " + (value.encode() if isinstance(value, str) else value)


def _digest(parts: Iterable[tuple[str, bytes]]) -> str:
    whole = hashlib.sha256()
    for name, content in parts:
        # Lengths first, so that no content can be taken for the next part's name.
        encoded = name.encode()
        whole.update(f"{len(encoded)} {len(content)} ".encode() + encoded + content)
    return whole.hexdigest()
