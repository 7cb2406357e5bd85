from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clawdet_infra.ci.errors import SettingsError
from clawdet_infra.ci.run import Forge, read_run, stacks_of
from tests.unit.ci.recorded import BASE, HEAD

PULL_REQUEST: dict[str, Any] = {
    "number": 3,
    "title": "`rm -rf` ::add-mask::x @everybody",
    "base": {"ref": "main", "sha": BASE, "repo": {"full_name": "clawdet/infra"}},
    "head": {"ref": "$(id)", "sha": HEAD, "repo": {"full_name": "clawdet/infra"}},
}


@pytest.fixture
def github(tmp_path: Path) -> dict[str, str]:
    return {
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_PATH": str(tmp_path / "event.json"),
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_REPOSITORY": "clawdet/infra",
        "GITHUB_RUN_ID": "4711",
        "GITHUB_SHA": "c" * 40,
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
    }


GITLAB = {
    "GITLAB_CI": "true",
    "CI_COMMIT_SHA": HEAD,
    "CI_COMMIT_BEFORE_SHA": "0" * 40,
    "CI_PIPELINE_ID": "4711",
    "CI_JOB_URL": "https://gitlab.com/clawdet/infra/-/jobs/1",
    "CI_MERGE_REQUEST_IID": "3",
    "CI_MERGE_REQUEST_PROJECT_ID": "5",
    "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "5",
    "CI_MERGE_REQUEST_DIFF_BASE_SHA": BASE,
    "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
    "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": "",
}


def write(environment: dict[str, str], event: object) -> None:
    Path(environment["GITHUB_EVENT_PATH"]).write_text(json.dumps(event))


def test_a_pull_request_is_read_from_the_payload(github: dict[str, str]) -> None:
    write(github, {"action": "synchronize", "number": 3, "pull_request": PULL_REQUEST})
    run = read_run(github)
    assert run.change is not None
    assert (run.change.number, run.change.base, run.change.head, run.change.target) == (3, BASE, HEAD, "main")
    assert not run.change.foreign
    assert run.commit == HEAD, "the commit of the branch, not the merge that only this job has seen"
    assert run.page == "https://github.com/clawdet/infra/actions/runs/4711"


@pytest.mark.parametrize("repo", [{"full_name": "mallory/infra"}, None])
def test_a_fork_is_told_also_where_it_was_deleted(github: dict[str, str], repo: object) -> None:
    write(github, {"pull_request": {**PULL_REQUEST, "head": {**PULL_REQUEST["head"], "repo": repo}}})
    change = read_run(github).change
    assert change is not None
    assert change.foreign


def test_a_push_says_what_was_there_before(github: dict[str, str]) -> None:
    write(github, {"before": BASE, "after": "c" * 40})
    run = read_run(github)
    assert (run.change, run.before, run.commit) == (None, BASE, "c" * 40)
    write(github, {"before": "0" * 40})
    assert read_run(github).before is None, "the zeros of a new branch are no commit"


@pytest.mark.parametrize(
    "event",
    [
        [],
        {"pull_request": {}},
        {"pull_request": {**PULL_REQUEST, "number": "3; rm"}},
        {"pull_request": {**PULL_REQUEST, "base": {**PULL_REQUEST["base"], "sha": "--output=/etc/passwd"}}},
    ],
)
def test_a_payload_that_is_not_as_documented_is_refused(github: dict[str, str], event: object) -> None:
    write(github, event)
    with pytest.raises(SettingsError, match="GITHUB_EVENT_PATH"):
        read_run(github)


def test_a_merge_request_is_read_from_the_variables() -> None:
    run = read_run(GITLAB)
    assert run.forge is Forge.GITLAB
    assert run.change is not None
    assert (run.change.number, run.change.base, run.change.head, run.change.foreign) == (3, BASE, HEAD, False)
    assert run.before is None
    merged = read_run(
        {
            **GITLAB,
            "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": "d" * 40,
            "CI_MERGE_REQUEST_TARGET_BRANCH_SHA": "e" * 40,
            "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "6",
        }
    ).change
    assert merged is not None
    assert (merged.base, merged.head, merged.foreign) == ("e" * 40, "d" * 40, True)


def test_outside_of_ci_it_says_what_is_missing() -> None:
    with pytest.raises(SettingsError, match="GITHUB_ACTIONS nor GITLAB_CI"):
        read_run({})
    with pytest.raises(SettingsError, match="CI_PIPELINE_ID is not set"):
        read_run({name: value for name, value in GITLAB.items() if name != "CI_PIPELINE_ID"})


def test_the_stacks_are_prod_unless_something_else_is_said() -> None:
    assert stacks_of({"CLAWDET_STACKS": ""}) == ("prod",)
    assert stacks_of({"CLAWDET_STACKS": "prod  staging prod"}) == ("prod", "staging")
    for wrong in ("--yes", "prod;id", "$(id)"):
        with pytest.raises(SettingsError, match="CLAWDET_STACKS"):
            stacks_of({"CLAWDET_STACKS": wrong})


@pytest.mark.parametrize(
    ("reference", "branch", "deploys"),
    [
        ("refs/heads/main", "main", True),
        ("refs/heads/feature", "feature", False),
        ("refs/heads/feature/main", "feature/main", False),
        ("refs/tags/main", None, False),
        ("", None, False),
    ],
)
def test_the_branch_of_a_run_is_read(github: dict[str, str], reference: str, branch: str | None, deploys: bool) -> None:
    write(github, {"repository": {"default_branch": "main"}})
    run = read_run({**github, "GITHUB_REF": reference})
    assert (run.branch, run.is_of_default_branch) == (branch, deploys)
    lab = {name: value for name, value in GITLAB.items() if "MERGE_REQUEST" not in name}
    lab |= {"CI_DEFAULT_BRANCH": "main", **({"CI_COMMIT_BRANCH": branch} if branch else {})}
    assert (read_run(lab).branch, read_run(lab).is_of_default_branch) == (branch, deploys)


@pytest.mark.parametrize("event", [{}, {"repository": None}, {"repository": {"default_branch": 1}}])
def test_where_the_default_branch_is_not_told_no_run_is_of_it(github: dict[str, str], event: object) -> None:
    write(github, event)
    assert not read_run({**github, "GITHUB_REF": "refs/heads/main"}).is_of_default_branch
