"""What GitLab CI says about a run, by its predefined variables."""

from __future__ import annotations

from collections.abc import Mapping

from clawdet_infra.reviews.run import Change, Forge, Run, commit_in, commit_or_none, number_in, required


def read(environment: Mapping[str, str]) -> Run:
    """Return the run.  Raises SettingsError where a variable is not as GitLab documents it."""
    change = _change(environment) if environment.get("CI_MERGE_REQUEST_IID") else None
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


def _change(environment: Mapping[str, str]) -> Change:
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
