"""Stacks of the checkout as what can be previewed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from clawdet_infra.config import CloudAccess, Fleet, Problem, parse_image, read_fleet
from clawdet_infra.config.stackfile import read_stack_file
from clawdet_infra.engine.state_files import checkpoint
from clawdet_infra.paths import ROOT
from clawdet_infra.preview.costs import Prices, PricesUnknownError, ask_prices
from clawdet_infra.preview.digests import DigestAnswer, digests, known
from clawdet_infra.preview.engine_plan import Previewed
from clawdet_infra.preview.fingerprint import (
    CODE,
    content_version,
    fingerprint,
    output_version,
    policies_digest,
    program_digest,
)
from clawdet_infra.preview.stacks import CheckoutStack

_PROJECT = "clawdet"
_CLOUD = f"{_PROJECT}:cloud"
_SHARED = "base"


class CheckoutSource:
    """A stack with a file in the project's folder; see `previewing.Source`.

    `arguments` are further ones for `pulumi preview`; `code` is where the program's code is, and `digest` tells what it
    is at the moment, so that many stacks can share one answer.
    """

    def __init__(
        self,
        name: str,
        root: Path = ROOT,
        arguments: Sequence[str] = (),
        code: Path = CODE,
        digest: Callable[[Path, Path], str] = program_digest,
    ) -> None:
        self._name = name
        self._root = root
        self._arguments = arguments
        self._code = code
        self._digest = digest
        self._answers: dict[str, DigestAnswer] = {}

    @property
    def name(self) -> str:
        """The stack's name."""
        return self._name

    @property
    def root(self) -> Path:
        """The project's folder."""
        return self._root

    def problems(self) -> Sequence[str]:
        """Return what is wrong with the stack's file, with lines."""
        _, problems = self._read
        return [told(one, self._root) for one in problems if not one.warning]

    def open(self) -> Previewed:
        """Return the stack for the engine."""
        return CheckoutStack(self._name, self._root, self._arguments)

    def prices(self) -> Prices:
        """Ask the stack's cloud for its prices."""
        from clawdet_infra.engine.stack_errors import InventoryError

        try:
            cloud = self.cloud
        except InventoryError:
            raise PricesUnknownError("there is no access to the provider's price list") from None
        return ask_prices(cloud.endpoint, cloud.token.get_secret_value())

    @cached_property
    def cloud(self) -> CloudAccess:
        """How the stack's cloud is reached, read once.  Raises InventoryError."""
        # Imported where it is needed: who is told that nothing changes should not wait for it.
        from clawdet_infra.engine.stacks import cloud_of

        return cloud_of(self._name, self._root)[0]

    def fingerprint(
        self, *, policies: bool, more: Mapping[str, str] | None = None, images: Iterable[str] = ()
    ) -> str | None:
        """Return a digest of program, file, tags and variables; None where a registry does not tell a digest.

        `more` is what else decides about a stack that is made from this one's file, by name, and `images` what runs in
        it, with the digests that its tags had.  Each registry is asked once for all that is made from this file.
        """
        fleet, _ = self._read
        if fleet is None:
            return None
        cloud = self._local_cloud
        description = _description(cloud)
        named = _asked(references(fleet, description), images)
        if missing := named - self._answers.keys():
            self._answers |= digests(missing, description.get("ca_directory"))
        answers = known({name: self._answers[name] for name in named})
        if answers is None:
            return None
        configuration = {
            **(more or {}),
            "file": self._file.read_bytes(),
            "cloud": cloud.read_bytes() if cloud and cloud.is_file() else None,
        }
        pack = policies_digest(self._code) if policies else None
        return fingerprint(self._digest(self._root, self._code), configuration, answers, policies=pack)

    def version(self) -> str | None:
        """Return the version of the state where it is in a file of this machine; None elsewhere."""
        return checkpoint_version(self._name)

    @cached_property
    def shared(self) -> str | None:
        """The version of what the stack shares with its cells, where its state is in a file of this machine."""
        file = _checkpoint(self._name)
        return output_version(file, _SHARED) if file else None

    def notes(self) -> Sequence[str]:
        """Return nothing: all is known."""
        return ()

    @property
    def _file(self) -> Path:
        return self._root / f"Pulumi.{self._name}.yaml"

    @cached_property
    def _read(self) -> tuple[Fleet | None, list[Problem]]:
        return read_fleet(self._file)

    @cached_property
    def _local_cloud(self) -> Path | None:
        written = read_stack_file(self._file, _PROJECT).config.get(_CLOUD)
        return self._root / written if isinstance(written, str) and written else None


def references(fleet: Fleet, cloud: Mapping[str, Any]) -> set[str]:
    """Return the image references of a fleet as registries are asked for them.

    `cloud` is what a local cloud says of itself; empty for others.
    """
    registry = cloud.get("registry")
    prefix = f"{registry}/" if registry else fleet.cloud.image_prefix
    releases = [fleet.release, *(fleet.release.override(one.release) for one in fleet.customers if one.release)]
    return {reference for one in releases for reference in one.behind(prefix).model_dump().values()}


def without_digest(references: Iterable[str]) -> set[str]:
    """Return the image references that name a tag and no digest."""
    return {reference for reference in references if parse_image(reference).digest is None}


def checkpoint_version(stack: str) -> str | None:
    """Return the version of a stack's state where it is in a file of this machine; None elsewhere."""
    file = _checkpoint(stack)
    return content_version(file) if file else None


def told(problem: Problem, root: Path) -> str:
    """Return a problem in words, its file seen from the project's folder."""
    return str(problem).replace(f"{root}/", "", 1)


def _asked(wanted: set[str], run: Iterable[str]) -> set[str]:
    """Return the tags that registries have to be asked about: those that are wanted, and those of what runs.

    What is wanted by its digest runs as it is written, whatever becomes of the tag in it.
    """
    others = {image.partition("@")[0] for image in run if image not in wanted and parse_image(image).tag is not None}
    return without_digest(wanted) | others


def _checkpoint(stack: str) -> Path | None:
    return checkpoint(os.environ.get("PULUMI_BACKEND_URL", ""), _PROJECT, stack)


def _description(file: Path | None) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8")) if file else {}
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
