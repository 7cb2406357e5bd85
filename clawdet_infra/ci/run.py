"""What CI says about the run: which change and stacks it is about, and where the results go."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from clawdet_infra.ci.errors import SettingsError

_STACK = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,200}")
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


def read_run(environment: Mapping[str, str]) -> Run:
    """Return what CI's variables say.  Raises SettingsError where this is no job, or something is missing."""
    if environment.get("GITHUB_ACTIONS"):
        return _on_github(environment)
    if environment.get("GITLAB_CI"):
        return _on_gitlab(environment)
    raise SettingsError("Neither GITHUB_ACTIONS nor GITLAB_CI is set: this is made for a job of one of the two.")


def stacks_of(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the stacks, in the order in which they are deployed.  Raises SettingsError for other text."""
    names = (environment.get("CLAWDET_STACKS") or "prod").split()
    for name in names:
        if not _STACK.fullmatch(name):
            raise SettingsError(f"CLAWDET_STACKS has {name[:40]!r}, which is not the name of a stack.")
    return tuple(dict.fromkeys(names))


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


def _on_github(environment: Mapping[str, str]) -> Run:
    """Return the run.  Raises SettingsError where a variable or the payload is not as GitHub documents it."""
    event = _event(Path(required(environment, "GITHUB_EVENT_PATH")))
    summary = environment.get("GITHUB_STEP_SUMMARY")
    server, project = required(environment, "GITHUB_SERVER_URL"), required(environment, "GITHUB_REPOSITORY")
    change = _pull_request(event) if "pull_request" in event else None
    return Run(
        forge=Forge.GITHUB,
        commit=change.head if change else commit_in(required(environment, "GITHUB_SHA"), "GITHUB_SHA"),
        number=number_in(required(environment, "GITHUB_RUN_ID"), "GITHUB_RUN_ID"),
        page=f"{server}/{project}/actions/runs/{environment['GITHUB_RUN_ID']}",
        change=change,
        before=commit_or_none(event.get("before")),
        branch=_branch(environment.get("GITHUB_REF", "")),
        default_branch=_default_branch(event),
        summary=Path(summary) if summary else None,
    )


def _branch(reference: str) -> str | None:
    kind = "refs/heads/"
    return reference.removeprefix(kind) if reference.startswith(kind) else None


def _default_branch(event: Mapping[str, Any]) -> str | None:
    repository = event.get("repository")
    found = repository.get("default_branch") if isinstance(repository, dict) else None
    return found if isinstance(found, str) else None


def _event(file: Path) -> dict[str, Any]:
    try:
        event = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{file}, the event's payload (GITHUB_EVENT_PATH), cannot be read: {error}") from None
    if not isinstance(event, dict):
        raise SettingsError(f"{file}, the event's payload (GITHUB_EVENT_PATH), is not a mapping.")
    return event


def _pull_request(event: Mapping[str, Any]) -> Change:
    where = "of the event's payload (GITHUB_EVENT_PATH)"
    try:
        request = event["pull_request"]
        base, head = request["base"], request["head"]
        # The fork may be deleted meanwhile; then there is no repository.
        theirs = (head["repo"] or {}).get("full_name")
        return Change(
            number=number_in(request["number"], f"pull_request.number {where}"),
            base=commit_in(base["sha"], f"pull_request.base.sha {where}"),
            head=commit_in(head["sha"], f"pull_request.head.sha {where}"),
            target=str(base["ref"]),
            foreign=theirs != base["repo"]["full_name"],
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise SettingsError(f"pull_request {where} is not as documented: {error!r} is missing.") from None


def _on_gitlab(environment: Mapping[str, str]) -> Run:
    """Return the run.  Raises SettingsError where a variable is not as GitLab documents it."""
    change = _merge_request(environment) if environment.get("CI_MERGE_REQUEST_IID") else None
    commit = commit_in(required(environment, "CI_COMMIT_SHA"), "CI_COMMIT_SHA")
    return Run(
        forge=Forge.GITLAB,
        commit=change.head if change else commit,
        number=number_in(required(environment, "CI_PIPELINE_ID"), "CI_PIPELINE_ID"),
        page=required(environment, "CI_JOB_URL"),
        change=change,
        before=commit_or_none(environment.get("CI_COMMIT_BEFORE_SHA")),
        branch=environment.get("CI_COMMIT_BRANCH") or None,
        default_branch=environment.get("CI_DEFAULT_BRANCH") or None,
    )


def _merge_request(environment: Mapping[str, str]) -> Change:
    # In a pipeline for merged results, the commit is the merge, and these two variables name what was merged.
    head = environment.get("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA") or required(environment, "CI_COMMIT_SHA")
    base = environment.get("CI_MERGE_REQUEST_TARGET_BRANCH_SHA") or required(
        environment, "CI_MERGE_REQUEST_DIFF_BASE_SHA"
    )
    theirs = required(environment, "CI_MERGE_REQUEST_SOURCE_PROJECT_ID")
    ours = required(environment, "CI_MERGE_REQUEST_PROJECT_ID")
    return Change(
        number=number_in(environment["CI_MERGE_REQUEST_IID"], "CI_MERGE_REQUEST_IID"),
        base=commit_in(base, "CI_MERGE_REQUEST_DIFF_BASE_SHA"),
        head=commit_in(head, "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA"),
        target=required(environment, "CI_MERGE_REQUEST_TARGET_BRANCH_NAME"),
        foreign=theirs != ours,
    )
