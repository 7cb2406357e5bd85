"""Carries out the workflows of this checkout as the forges' runners do: fresh clone, steps in order, env as written.

Only what the workflows use is known here; whatever else an expression says is an error.  In place of `scripts/ci/setup`
the Python environment of the tests is taken; that script has tests of its own.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.contract.ci.files import gitlab_jobs, read
from tests.contract.ci.forges import PROJECT, PROJECT_ID
from tests.support.repository import Repository, git
from tests.support.stack import ROOT

_EXPRESSION = re.compile(r"\$\{\{ (.+?) \}\}")
_OF_DEFAULT_BRANCH = "github.ref == format('refs/heads/{0}', github.event.repository.default_branch)"
_KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "CLAWDET_ENGINE_INSTALLER", "CLAWDET_CACHE", "XDG_CACHE_HOME")


@dataclass(frozen=True)
class Outcome:
    """How a job ended: the exit code of each script that ran, all that was printed, and the summary of the job."""

    codes: dict[str, int]
    log: str
    summary: str
    folder: Path

    @property
    def failed(self) -> bool:
        return any(self.codes.values())


@dataclass
class Machine:
    """Where jobs run.  `for_updates` are variables for updates alone, in which no server can be logged in to."""

    origin: Path
    home: Path
    for_updates: Mapping[str, str]
    runs: int = 4710
    logs: list[str] = field(default_factory=list)

    def fresh(self, reference: str) -> Path:
        """A clone in which a reference is checked out, as a hosted runner has it."""
        self.runs += 1
        folder = self.home / f"run-{self.runs}"
        git(self.home, "clone", "--quiet", "--no-checkout", f"file://{self.origin}", str(folder))
        git(folder, "fetch", "--quiet", "origin", reference)
        git(folder, "checkout", "--quiet", "--detach", "FETCH_HEAD")
        (folder / ".git" / "info" / "exclude").write_text("/.venv\n")
        (folder / ".venv").symlink_to(ROOT / ".venv")
        return folder

    def script(self, script: str, folder: Path, environment: Mapping[str, str]) -> tuple[int, str]:
        """Run one script with these variables and no other."""
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        kept |= self.for_updates if script == "scripts/ci/deploy" else {}
        done = subprocess.run(
            [f"./{script}"],
            cwd=folder,
            env={**kept, "CI": "true", "PYTHONPATH": str(folder), **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=550,
            check=False,
        )
        self.logs.append(done.stdout)
        return done.returncode, done.stdout


@dataclass
class GitHubRunner:
    """Runs a workflow's jobs.  `token` is what the job gets; a fork's secrets are none, and its token may only read."""

    machine: Machine
    api: str

    def run(
        self,
        workflow: str,
        event_name: str,
        event: Mapping[str, Any],
        reference: str,
        *,
        secrets: Mapping[str, str],
        token: str,
        variables: Mapping[str, str] | None = None,
    ) -> Outcome:
        content = read(ROOT / ".github" / "workflows" / workflow)
        assert event_name in content["on"], f"{workflow} does not run on {event_name}"
        (job,) = content["jobs"].values()
        event = {"repository": {"default_branch": "main"}, **event}
        if _OF_DEFAULT_BRANCH in job.get("if", "") and event_name != "schedule" and reference != "main":
            return Outcome({}, "skipped", "", self.machine.home)
        folder = self.machine.fresh(reference)
        scratch = folder.with_name(f"{folder.name}-files")
        scratch.mkdir()
        (scratch / "event.json").write_text(json.dumps(event))
        (scratch / "summary.md").write_text("")
        defaults = {
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": self.api,
            "GITHUB_SERVER_URL": "https://github.example",
            "GITHUB_REPOSITORY": PROJECT,
            "GITHUB_EVENT_NAME": event_name,
            "GITHUB_EVENT_PATH": str(scratch / "event.json"),
            "GITHUB_RUN_ID": str(self.machine.runs),
            "GITHUB_SHA": git(folder, "rev-parse", "HEAD"),
            "GITHUB_REF": reference if reference.startswith("refs/") else f"refs/heads/{reference}",
            "GITHUB_STEP_SUMMARY": str(scratch / "summary.md"),
        }
        values = {"github.token": token}
        values |= {f"secrets.{name}": value for name, value in secrets.items()}
        values |= {f"vars.{name}": value for name, value in (variables or {}).items()}
        codes: dict[str, int] = {}
        log = ""
        for step in job["steps"]:
            if "uses" in step or step["run"] == "scripts/ci/setup":
                continue
            if any(codes.values()) and step.get("if") != "${{ !cancelled() }}":
                continue
            given = {name: _filled(value, values) for name, value in step.get("env", {}).items()}
            code, printed = self.machine.script(step["run"], folder, {**defaults, **given})
            codes[step["run"]] = code
            log += printed
        return Outcome(codes, log, (scratch / "summary.md").read_text(), folder)


@dataclass
class GitLabRunner:
    """Runs jobs of the pipeline.  `scoped` are the variables of each environment, as one sets them in the project."""

    machine: Machine
    api: str

    def run(
        self, jobs: list[str], reference: str, given: Mapping[str, str], *, scoped: Mapping[str, Mapping[str, str]]
    ) -> Outcome:
        known = gitlab_jobs()
        codes: dict[str, int] = {}
        log = ""
        pipeline = self.machine.runs + 1
        report: Path | None = None
        folder = self.machine.home
        for name in jobs:
            job = known[name]
            assert len(job["script"]) == 1
            folder = self.machine.fresh(reference)
            if job.get("needs"):
                assert all(need == {"job": jobs[0], "artifacts": True} for need in job["needs"])
                assert job["rules"][0]["when"] == "always"
                if report is not None and report.exists():
                    (folder / ".clawdet").mkdir()
                    report.rename(folder / ".clawdet" / "report")
            environment = {
                "GITLAB_CI": "true",
                "CI_API_V4_URL": self.api,
                "CI_PROJECT_ID": str(PROJECT_ID),
                "CI_PROJECT_DIR": str(folder),
                "CI_PIPELINE_ID": str(pipeline),
                "CI_JOB_URL": f"https://gitlab.example/{PROJECT}/-/jobs/{self.machine.runs}",
                "CI_JOB_TOKEN": "canary-job-token-0b1c",
                "CI_COMMIT_SHA": git(folder, "rev-parse", "HEAD"),
                "CI_DEFAULT_BRANCH": "main",
                **given,
                **scoped.get(job["environment"]["name"], {}),
            }
            (script,) = job["script"]
            code, printed = self.machine.script(script, folder, environment)
            codes[script] = code
            log += printed
            report = folder / ".clawdet" / "report"
        return Outcome(codes, log, "", folder)


def _filled(text: str, values: Mapping[str, str]) -> str:
    """Fill in the expressions of a value.  A secret or variable that is not set is empty."""

    def fill(match: re.Match[str]) -> str:
        name = match[1]
        assert name in values or re.fullmatch(r"(secrets|vars)\.[A-Z_]+", name), f"unknown expression: {name}"
        return values.get(name, "")

    return _EXPRESSION.sub(fill, text)


def pull_request(base: str, head: str, *, fork: bool = False, number: int = 3) -> dict[str, Any]:
    """The payload of a pull request, as far as it may matter, with titles and branches that are up to no good."""
    nasty = "`$(id)` ::add-mask::*** @everybody </details><img src=x> /merge"
    return {
        "action": "synchronize",
        "number": number,
        "pull_request": {
            "number": number,
            "title": nasty,
            "body": f"Allow-loss: bob\n{nasty}",
            "user": {"login": "mallory"},
            "base": {"ref": "main", "sha": base, "repo": {"full_name": PROJECT}},
            "head": {"ref": nasty, "sha": head, "repo": {"full_name": "mallory/infra" if fork else PROJECT}},
        },
    }


def merge_request(base: str, head: str, *, fork: bool = False, number: int = 3) -> dict[str, str]:
    """The variables of a merge request's pipeline."""
    return {
        "CI_PIPELINE_SOURCE": "merge_request_event",
        "CI_MERGE_REQUEST_IID": str(number),
        "CI_MERGE_REQUEST_PROJECT_ID": str(PROJECT_ID),
        "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": str(PROJECT_ID + 1 if fork else PROJECT_ID),
        "CI_MERGE_REQUEST_DIFF_BASE_SHA": base,
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
        "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": "",
        "CI_MERGE_REQUEST_TITLE": "/merge @everybody",
        "CI_COMMIT_SHA": head,
    }


@dataclass
class Forked:
    """A repository, the bare origin that it pushes to, and a branch for each change."""

    work: Repository
    origin: Path

    @classmethod
    def make(cls, work: Repository, origin: Path) -> Forked:
        git(work.folder, "clone", "--quiet", "--bare", ".", str(origin))
        git(work.folder, "remote", "add", "origin", str(origin))
        git(work.folder, "fetch", "--quiet", "origin")
        return cls(work, origin)

    def push(self, number: int = 3) -> tuple[str, str]:
        """Push this branch with the merge that GitHub makes of it for its jobs; return base and head."""
        branch = git(self.work.folder, "branch", "--show-current")
        base, head = git(self.work.folder, "rev-parse", "main", branch).split()
        git(self.work.folder, "switch", "--quiet", "--detach", "main")
        self.work.merge(branch)
        git(self.work.folder, "push", "--quiet", "--force", "origin", f"HEAD:refs/pull/{number}/merge", branch)
        self.work.switch(branch)
        return base, head

    def push_main(self) -> tuple[str, str]:
        """Push the main branch; return what it held before and what it holds now."""
        before = git(self.origin, "rev-parse", "main")
        git(self.work.folder, "push", "--quiet", "origin", "main")
        return before, git(self.origin, "rev-parse", "main")
