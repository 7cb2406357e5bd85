"""What is written in YAML: right by the forges' schemas, without logic, and with no more rights than it needs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from clawdet_infra.ci.__main__ import _HELP
from clawdet_infra.ci.secrecy import OF_THE_FLEET
from tests.contract.ci.files import GITHUB, GITLAB, github_jobs, gitlab_jobs, read
from tests.support.stack import ROOT

JOBS = {name: (workflow, job) for name, workflow, job in github_jobs()}
STEPS = [
    pytest.param(job, step, id=f"{name}: {step.get('name') or step['uses'].partition('@')[0]}")
    for name, (_, job) in JOBS.items()
    for step in job["steps"]
]
SCRIPT = re.compile(r"scripts/ci/[a-z-]+")
SECRET = re.compile(r"\$\{\{ secrets\.([A-Z_]+) \}\}")


def tool(name: str, *arguments: str) -> None:
    """One of the environment's programs has nothing to say against these files."""
    done = subprocess.run([Path(sys.executable).with_name(name), *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_is_a_workflow_for_each_occasion() -> None:
    assert [file.name for file in GITHUB] == ["deploy.yml", "drift.yml", "preview.yml", "test.yml"]
    assert sorted(gitlab_jobs()) == ["comment", "deploy", "drift", "issue", "preview", "test"]


def test_github_would_take_its_workflows() -> None:
    files = [str(file) for file in GITHUB]
    tool("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *files)
    tool("check-jsonschema", "--builtin-schema", "custom.github-workflows-require-timeout", *files)


def test_gitlab_would_take_its_pipeline() -> None:
    tool("check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci", str(GITLAB))


def test_an_auditor_of_workflows_finds_nothing() -> None:
    tool("zizmor", "--offline", "--no-progress", "--persona=auditor", str(ROOT / ".github" / "workflows"))


# --- no logic -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("job", "step"), STEPS)
def test_a_step_is_one_script_of_the_repository(job: dict[str, Any], step: dict[str, Any]) -> None:
    if "run" in step:
        assert SCRIPT.fullmatch(step["run"]), "logic is in scripts, where tests run it"
        assert "${{" not in step["run"]
        assert "shell" not in step
    assert set(step) <= {"name", "uses", "with", "run", "env", "if"}
    assert step.get("if") in (None, "${{ !cancelled() }}")


@pytest.mark.parametrize("name", gitlab_jobs())
def test_a_job_of_gitlab_is_one_script_of_the_repository(name: str) -> None:
    job = gitlab_jobs()[name]
    # The tests set up what they need by themselves, as on any machine.
    assert job.get("before_script") == (None if name == "test" else ["scripts/ci/setup"])
    assert job["script"] == [f"scripts/ci/{name}"]
    assert "after_script" not in job


@pytest.mark.parametrize("script", sorted((ROOT / "scripts" / "ci").iterdir()), ids=lambda path: path.name)
def test_a_script_is_thin_executable_and_used(script: Path) -> None:
    assert os.access(script, os.X_OK)
    text = script.read_text()
    assert text.startswith("#!/bin/sh\n# ")
    assert "set -eu" in text
    assert "set -x" not in text
    everywhere = "".join(file.read_text() for file in [*GITHUB, GITLAB])
    assert f"scripts/ci/{script.name}\n" in everywhere
    assert len(text.splitlines()) < 10
    if script.name == "test":
        assert text.endswith("exec make test-all\n")
    elif script.name != "setup":
        assert text.endswith(f"exec .venv/bin/python -m clawdet_infra.ci {script.name}\n")
        assert script.name in _HELP
    tool_syntax = subprocess.run(["sh", "-n", script], capture_output=True, text=True)
    assert tool_syntax.returncode == 0, tool_syntax.stderr


def test_every_script_that_is_named_exists() -> None:
    named = {found for file in [*GITHUB, GITLAB] for found in SCRIPT.findall(file.read_text())}
    assert named == {f"scripts/ci/{script.name}" for script in (ROOT / "scripts" / "ci").iterdir()}


# --- rights -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", GITHUB, ids=lambda path: path.name)
def test_no_workflow_gives_strangers_code_the_rights_of_ours(file: Path) -> None:
    assert not {"pull_request_target", "workflow_run", "issue_comment"} & set(read(file)["on"])
    expressions = re.findall(r"\$\{\{(.*?)\}\}", file.read_text())
    events = {one.strip() for one in expressions if "github.event" in one or "github.head_ref" in one}
    assert events <= {"github.event.pull_request.number"}, "nothing that people write is put into a workflow"


@pytest.mark.parametrize("name", JOBS)
def test_a_job_has_the_least_permissions_a_timeout_and_a_fixed_system(name: str) -> None:
    workflow, job = JOBS[name]
    assert workflow["permissions"] == {"contents": "read"}
    writes = {key for key, value in job.get("permissions", {}).items() if value == "write"}
    assert writes == {"preview": {"pull-requests"}, "drift": {"issues"}}.get(name.partition(".")[0], set())
    assert 0 < job["timeout-minutes"] <= 180
    assert "ubuntu-24.04" in job["runs-on"]
    assert workflow["concurrency"]["cancel-in-progress"] is (name == "preview.yml: preview")


def test_what_can_be_started_by_hand_on_any_branch_does_its_work_on_the_default_one_alone() -> None:
    default = "github.ref == format('refs/heads/{0}', github.event.repository.default_branch)"
    for name, (workflow, job) in JOBS.items():
        secrets = {step["run"] for step in job["steps"] if SECRET.search(json.dumps(step))}
        if "workflow_dispatch" in workflow["on"] and secrets:
            assert job["if"] in (default, f"github.event_name == 'schedule' || {default}"), name
    assert JOBS["deploy.yml: deploy"][1]["if"] == default
    for rule in [*read(GITLAB)["workflow"]["rules"], *gitlab_jobs()["deploy"]["rules"]]:
        assert "merge_request_event" in rule["if"] or "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH" in rule["if"]


@pytest.mark.parametrize(("job", "step"), STEPS)
def test_actions_are_few_and_pinned_by_their_hash(job: dict[str, Any], step: dict[str, Any]) -> None:
    if "uses" in step:
        action, _, version = step["uses"].partition("@")
        assert action in ("actions/checkout", "actions/cache")
        assert re.fullmatch(r"[0-9a-f]{40}", version)
        if action == "actions/checkout":
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize(("job", "step"), STEPS)
def test_a_step_gets_the_secrets_that_it_needs_and_no_other(job: dict[str, Any], step: dict[str, Any]) -> None:
    assert "env" not in job, "what a job has, each of its steps has"
    secrets = set(SECRET.findall(json.dumps(step)))
    assert secrets <= set(OF_THE_FLEET), "and each of them is taken out of logs and reports"
    has_token = "GITHUB_TOKEN" in step.get("env", {})
    assert not (secrets and has_token), "what reads the fleet writes nothing on the forge"
    assert bool(secrets) == (step.get("run") in ("scripts/ci/preview", "scripts/ci/deploy", "scripts/ci/drift"))
    assert has_token == (step.get("run") in ("scripts/ci/comment", "scripts/ci/issue"))
    if secrets:
        assert secrets >= {"PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_ACCESS_TOKEN", "HCLOUD_TOKEN"}
        name = job["environment"] if isinstance(job["environment"], str) else job["environment"]["name"]
        assert name == ("production" if step["run"] == "scripts/ci/deploy" else "preview")


@pytest.mark.parametrize("name", gitlab_jobs())
def test_a_job_of_gitlab_is_bounded_and_sees_its_environment_alone(name: str) -> None:
    job = gitlab_jobs()[name]
    if name == "test":
        assert "environment" not in job, "tests need no secret"
    else:
        environment = {"preview": "preview", "drift": "preview", "deploy": "production"}.get(name, "reviews")
        assert job["environment"]["name"] == environment
        assert job["environment"].get("action") == (None if name == "deploy" else "access")
    assert job["timeout"]
    assert job["rules"]
    assert job.get("interruptible", False) is (name == "preview")
    assert ("resource_group" in job) is (name in ("deploy", "comment", "issue"))
    if name in ("preview", "deploy", "drift"):
        assert job["artifacts"]["paths"] == [".clawdet/report"]
        assert job["artifacts"]["when"] == "always"
        assert job["artifacts"]["access"] == "developer"


def test_jobs_that_read_commits_have_the_whole_history() -> None:
    for name, (_, job) in JOBS.items():
        checkout = next(step for step in job["steps"] if step.get("uses", "").startswith("actions/checkout@"))
        reads_commits = name not in ("drift.yml: drift", "test.yml: test")
        assert checkout["with"].get("fetch-depth") == (0 if reads_commits else None)
    assert read(GITLAB)["variables"]["GIT_DEPTH"] == "0"


def test_git_sees_nothing_of_what_a_job_leaves() -> None:
    for path in (".clawdet/report/preview.md", ".clawdet/cache/pip/x", ".venv/bin/python"):
        done = subprocess.run(["git", "check-ignore", "--quiet", path], cwd=ROOT)
        assert done.returncode == 0, path
