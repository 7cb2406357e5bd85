"""A company: a repository with its fleet's list, a forge, runners, secrets, a state, and a cloud without machines."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.contract.ci.forges import Account, FakeForge, FakeGitHub, FakeGitLab, serving
from tests.contract.ci.runners import Forked, GitHubRunner, GitLabRunner, Machine, Outcome
from tests.contract.hcloud_api.running import TOKEN, RunningCloud, free_port, running_cloud
from tests.support.idle_commands import idle_commands
from tests.support.repository import Repository, copy_of_the_checkout, git
from tests.support.stack import CANARY_API_KEY, ROOT

PASSPHRASE = "canary-passphrase-7c9e6679f7bb"
FORGE_TOKEN = "canary-forge-token-5d41402abc4b"
FORK_TOKEN = "canary-fork-token-e3b0c44298fc"
CANARIES = (PASSPHRASE, FORGE_TOKEN, FORK_TOKEN, CANARY_API_KEY, TOKEN)
DIGEST = "sha256:" + "5" * 64
_PEOPLE = {"ada": "free", "bob": "pro", "user123": "pro"}


@dataclass
class World:
    """All of it.  `github` and `gitlab` are the forges, `on_github` and `on_gitlab` their runners."""

    repository: Forked
    cloud: RunningCloud
    machine: Machine
    github: FakeGitHub
    gitlab: FakeGitLab
    on_github: GitHubRunner
    on_gitlab: GitLabRunner
    secrets: Mapping[str, str]
    api_key: Any

    @property
    def list_file(self) -> Path:
        return self.repository.work.folder / "Pulumi.prod.yaml"

    def edit(self, message: str, customers: Mapping[str, Any]) -> str:
        """Commit another list of customers: id → plan, or → all that is to be written."""
        content = yaml.safe_load(self.list_file.read_text())
        entries = [
            {"id": identity, "anthropicApiKey": self.api_key, **(more if isinstance(more, dict) else {"plan": more})}
            for identity, more in customers.items()
        ]
        content["config"]["clawdet:customers"] = entries
        self.list_file.write_text(yaml.safe_dump(content, sort_keys=False))
        return self.repository.work.commit(message)

    def branch(self, name: str) -> None:
        """Begin a change where the main branch is."""
        self.repository.work.switch(name, "main")

    def servers(self) -> set[str]:
        return {one.name for one in self.cloud.client().servers.get_all()}

    def nothing_leaked(self, outcome: Outcome) -> None:
        """No secret is in what people may read: logs, summaries, reports, comments, issues."""
        kept = [file.read_text() for file in (outcome.folder / ".clawdet" / "report").glob("*")]
        told = [str(one) for forge in (self.github, self.gitlab) for one in (*forge.comments, *forge.issues)]
        for text in (outcome.log, outcome.summary, *kept, *told):
            for canary in CANARIES:
                assert canary not in text


@dataclass(frozen=True)
class Company:
    """A company as it was left: the folder in which it works, and the port of its cloud."""

    home: Path
    copy: Path
    port: int
    api_key: Any

    @classmethod
    def make(cls, folder: Path) -> Company:
        """Make all of it, and let its workflow deploy the fleet."""
        home = folder / "company"
        (home / "cloud").mkdir(parents=True)
        (home / "state").mkdir()
        port = free_port()
        with running_cloud(home / "cloud", port=port) as cloud:
            work = copy_of_the_checkout(home / "work")
            (work.folder / ".git" / "info" / "exclude").write_text("/.venv\n")
            (work.folder / ".venv").symlink_to(ROOT / ".venv")
            api_key = _make_stack(work.folder, cloud, _secrets(home))
            work.commit("Begin")
            # Few files, since they are copied for each test.
            git(work.folder, "repack", "-a", "-d", "--quiet")
            Forked.make(work, home / "origin.git")
            company = cls(home, folder / "copy", port, api_key)
            with company._world(cloud) as made:
                begun = made.on_github.run(
                    "deploy.yml", "push", {"before": "0" * 40}, "main", secrets=made.secrets, token=FORGE_TOKEN
                )
                assert begun.codes == {"scripts/ci/deploy": 0}, begun.log
                assert "**Deployed** in " in begun.summary
                assert made.servers() == {"shared-1", "bob", "user123"}
                made.nothing_leaked(begun)
        # A runner's folders go with it.
        for run in home.glob("run-*"):
            shutil.rmtree(run)
        home.rename(company.copy)
        return company

    @contextmanager
    def running(self) -> Iterator[World]:
        """All of it as it was left, in the same place."""
        shutil.copytree(self.copy, self.home, symlinks=True)
        try:
            with running_cloud(self.home / "cloud", port=self.port) as cloud, self._world(cloud) as world:
                yield world
        finally:
            shutil.rmtree(self.home)

    @contextmanager
    def _world(self, cloud: RunningCloud) -> Iterator[World]:
        repository = Forked(Repository(self.home / "work"), self.home / "origin.git")
        with idle_commands() as idle, _forge(FakeGitHub()) as github, _forge(FakeGitLab()) as gitlab:
            assert isinstance(github, FakeGitHub)
            assert isinstance(gitlab, FakeGitLab)
            machine = Machine(origin=repository.origin, home=self.home, for_updates=idle)
            yield World(
                repository=repository,
                cloud=cloud,
                machine=machine,
                github=github,
                gitlab=gitlab,
                on_github=GitHubRunner(machine, github.url),
                on_gitlab=GitLabRunner(machine, gitlab.url),
                secrets=_secrets(self.home),
                api_key=self.api_key,
            )


def _secrets(home: Path) -> dict[str, str]:
    return {
        "PULUMI_BACKEND_URL": f"file://{home}/state?metadata=skip",
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "HCLOUD_TOKEN": TOKEN,
    }


@contextmanager
def _forge(forge: FakeForge) -> Iterator[FakeForge]:
    with serving(forge) as running:
        running.accounts[FORGE_TOKEN] = running.bot
        running.accounts[FORK_TOKEN] = Account(running.bot.name, running.bot.number, frozenset())
        yield running


def _make_stack(folder: Path, cloud: RunningCloud, secrets: Mapping[str, str]) -> Any:
    """Write the stack's file as docs/how-to/production.md says, and return an encrypted API key."""
    file = folder / "Pulumi.prod.yaml"
    example = yaml.safe_load(file.read_text())["config"]
    file.unlink()

    def pulumi(*arguments: str) -> None:
        done = subprocess.run(
            ["pulumi", *arguments, "--non-interactive"],
            cwd=folder,
            env={**os.environ, **secrets},
            input=CANARY_API_KEY,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr

    pulumi("stack", "init", "prod")
    pulumi("config", "set", "--stack", "prod", "--secret", "clawdet:key")
    content = yaml.safe_load(file.read_text())
    api_key = content["config"]["clawdet:key"]
    content["config"] = {
        **{key: value for key, value in example.items() if key.startswith("clawdet:")},
        "clawdet:cloud": {"endpoint": cloud.endpoint, "token": TOKEN},
        # No registry is asked for what has a digest.
        "clawdet:release": {role: f"{tag}@{DIGEST}" for role, tag in example["clawdet:release"].items()},
        "clawdet:protect": False,
        "clawdet:customers": [
            {"id": identity, "plan": plan, "anthropicApiKey": api_key} for identity, plan in _PEOPLE.items()
        ],
    }
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return api_key
