from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from clawdet_infra.ci.commands import Done
from clawdet_infra.ci.deploy import deploy
from clawdet_infra.ci.drift import drift
from clawdet_infra.ci.errors import SettingsError
from tests.support.repository import Repository
from tests.unit.ci.recorded import Recorded, run_of

SECRETS = {"PULUMI_BACKEND_URL": "s3://state", "PULUMI_CONFIG_PASSPHRASE": "a long passphrase"}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository.make(tmp_path)
    made.commit("Begin")
    return made


def updates(*found: tuple[str, str, str]) -> Done:
    """A history of updates, newest first: what was done, how it ended, at which commit."""
    entries = [{"kind": kind, "result": result, "environment": {"git.head": head}} for kind, result, head in found]
    return Done(code=0, output=json.dumps(entries), messages="")


def test_it_recovers_looks_and_then_updates(repository: Repository) -> None:
    commands = Recorded()
    report = deploy(run_of(commit=repository.head), ["prod"], SECRETS, commands, repository.folder)
    assert commands.words == ["recover", "stack", "preview", "up"]
    assert commands.calls[-1] == ("clawdet", "up", "--stack", "prod", "--yes", "--non-interactive")
    assert report.code == 0
    assert "**Deployed**" in report.text


@pytest.mark.parametrize("branch", ["feature", None, "main2"])
def test_only_the_default_branch_deploys(repository: Repository, branch: str | None) -> None:
    commands = Recorded()
    run = replace(run_of(commit=repository.head), branch=branch)
    with pytest.raises(SettingsError, match=r"Only the default branch deploys \(main\)"):
        deploy(run, ["prod"], SECRETS, commands, repository.folder)
    with pytest.raises(SettingsError, match="CI does not name it"):
        deploy(replace(run, default_branch=None), ["prod"], SECRETS, commands, repository.folder)
    assert commands.calls == []


def test_what_was_named_since_the_last_good_update_counts(repository: Repository) -> None:
    """A forge drops waiting deployments, and others fail; what their commits named is deployed now."""
    repository.commit("Earlier\n\nAllow-loss: earlier\n")
    good = repository.head
    repository.commit("Dropped\n\nAllow-loss: ada\n")
    failed = repository.commit("Failed\n\nAllow-loss: bob\n")
    repository.commit("Now\n\nAllow-loss: eve\n")
    history = updates(("update", "failed", failed), ("refresh", "succeeded", failed), ("update", "succeeded", good))
    commands = Recorded({"stack": history})
    deploy(run_of(commit=repository.head, before=failed), ["prod"], SECRETS, commands, repository.folder)
    names = ("--allow-loss", "ada", "--allow-loss", "bob", "--allow-loss", "eve")
    assert commands.calls[2][-6:] == names
    assert commands.calls[3] == ("clawdet", "up", "--stack", "prod", *names, "--yes", "--non-interactive")


@pytest.mark.parametrize(
    "history", [Done(code=0, output="[]", messages=""), updates(("update", "succeeded", "f" * 40))]
)
def test_where_pulumi_does_not_know_the_push_says_it(repository: Repository, history: Done) -> None:
    before = repository.commit("Earlier\n\nAllow-loss: earlier\n")
    repository.commit("One\n\nAllow-loss: ada\n")
    repository.commit("Two")
    commands = Recorded({"stack": history})
    deploy(run_of(commit=repository.head, before=before), ["prod"], SECRETS, commands, repository.folder)
    assert commands.calls[2][-2:] == ("--allow-loss", "ada")


@pytest.mark.parametrize(
    ("wrong", "reached", "words"),
    [
        ({"recover": Done(code=1, output="", messages="error: locked")}, ["recover"], "recovery failed"),
        (
            {"preview": Done(code=5, output="### Refused\n", messages="")},
            ["recover", "stack", "preview"],
            "Not deployed",
        ),
        (
            {"up": Done(code=1, output="", messages="error: unhealthy")},
            ["recover", "stack", "preview", "up"],
            "The update failed",
        ),
    ],
)
def test_the_first_step_that_fails_is_the_last(
    wrong: dict[str, Done], reached: list[str], words: str, repository: Repository
) -> None:
    commands = Recorded(wrong)
    report = deploy(run_of(commit=repository.head), ["prod", "other"], SECRETS, commands, repository.folder)
    assert commands.words == reached, "the other stack is not touched either"
    assert report.code == next(iter(wrong.values())).code
    assert words in report.text


def test_nothing_is_deployed_or_compared_without_secrets(repository: Repository) -> None:
    commands = Recorded()
    with pytest.raises(SettingsError, match="environment `production`"):
        deploy(run_of(commit=repository.head), ["prod"], {"PULUMI_BACKEND_URL": ""}, commands, repository.folder)
    with pytest.raises(SettingsError, match="cannot look at the fleet"):
        drift(run_of(), ["prod"], {}, commands)
    assert commands.calls == []


@pytest.mark.parametrize(
    ("code", "words"), [(0, "is as it is declared"), (7, "is not what"), (5, "is not what"), (1, "could not be made")]
)
def test_drift_is_told_from_a_check_that_failed(code: int, words: str) -> None:
    commands = Recorded({"preview": Done(code=code, output="### Preview\n", messages="")})
    report = drift(run_of(), ["prod"], SECRETS, commands)
    assert commands.calls[0][-2:] == ("--refresh", "--expect-no-changes")
    assert (report.code, words in report.text) == (code, True)
