"""What CI says about the run: which change it is about, and where the results go."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from clawdet_infra.reviews.errors import SettingsError

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


class Forge(StrEnum):
    """Who runs the job."""

    GITHUB = "github"
    GITLAB = "gitlab"


@dataclass(frozen=True, kw_only=True)
class Change:
    """A pull request, or merge request: its number in the project, and the commits between which it lies.

    `target` is the branch that it is meant for.  `foreign` says that its code comes from another project (a fork), so
    that it gets no secret and may write nothing.
    """

    number: int
    base: str
    head: str
    target: str
    foreign: bool


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of a job.

    `commit` is what it looks at, `before` what the branch held before it was pushed (None where CI does not say).
    `branch` is the branch that it runs on (None for tags and where CI does not say), `default_branch` the project's.
    `number` grows from run to run.  `page` is where people read the job's log.  `summary` is a file whose Markdown the
    forge shows with the job, where it has one.
    """

    forge: Forge
    commit: str
    number: int
    page: str
    change: Change | None = None
    before: str | None = None
    branch: str | None = None
    default_branch: str | None = None
    summary: Path | None = None

    @property
    def is_of_default_branch(self) -> bool:
        """Whether it runs on the branch that declares the fleet, as far as CI says."""
        return self.branch is not None and self.branch == self.default_branch


def commit_in(text: object, what: str) -> str:
    """Return a commit's full hash.  Raises SettingsError for anything else, such as an option for git."""
    if not isinstance(text, str) or not _COMMIT.fullmatch(text):
        raise SettingsError(f"{what} is not the hash of a commit.")
    return text


def commit_or_none(text: object) -> str | None:
    """Return a commit's full hash; None for the zeros that stand for "none", or where there is no hash."""
    if not isinstance(text, str) or not _COMMIT.fullmatch(text) or not text.strip("0"):
        return None
    return text


def number_in(text: object, what: str) -> int:
    """Return a positive whole number.  Raises SettingsError for anything else."""
    if isinstance(text, int) and not isinstance(text, bool) and text > 0:
        return text
    if isinstance(text, str) and re.fullmatch(r"[1-9][0-9]{0,17}", text):
        return int(text)
    raise SettingsError(f"{what} is not a number.")


def required(environment: Mapping[str, str], name: str) -> str:
    """Return a variable that CI sets.  Raises SettingsError where it is not set, or empty."""
    if value := environment.get(name):
        return value
    raise SettingsError(f"{name} is not set. This is made for a job of GitHub Actions or GitLab CI, which sets it.")
