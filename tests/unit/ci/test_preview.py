from __future__ import annotations

from pathlib import Path

import pytest

from clawdet_infra.ci.commands import Done
from clawdet_infra.ci.errors import SettingsError
from clawdet_infra.ci.preview import preview
from clawdet_infra.ci.secrecy import OF_THE_FLEET, OF_THE_FORGE
from tests.support.repository import Repository
from tests.unit.ci.recorded import Recorded, change_of, run_of

SECRETS = {"PULUMI_BACKEND_URL": "s3://state", "PULUMI_CONFIG_PASSPHRASE": "a long passphrase", "PATH": "/bin"}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository.make(tmp_path)
    made.commit("Begin")
    return made


def test_losses_that_the_branch_names_are_handed_over_and_shown(repository: Repository) -> None:
    base = repository.head
    head = repository.commit("Let ada go\n\nAllow-loss: ada\nAllow-loss: <b>\n")
    commands = Recorded()
    report = preview(
        run_of(change=change_of(base=base, head=head)), ["prod", "other"], SECRETS, commands, repository.folder
    )
    assert commands.calls == [
        ("clawdet", "preview", "--stack", "prod", "--stack", "other", "--markdown", "--allow-loss", "ada")
    ]
    assert report.code == 0
    assert "Losses named by `Allow-loss`: `ada`." in report.text
    assert f"the `Allow-loss` of `{head[:12]}`" in report.text
    assert "<b>" not in report.text


@pytest.mark.parametrize("code", [0, 1, 2, 5, 137])
def test_the_check_ends_as_the_preview_does(code: int, repository: Repository) -> None:
    commands = Recorded(
        {"preview": Done(code=code, output="<!-- clawdet preview -->\n### Preview: something\n", messages="")}
    )
    change = change_of(base=repository.head, head=repository.head)
    report = preview(run_of(change=change), ["prod"], SECRETS, commands, repository.folder)
    assert report.code == code
    assert report.text.startswith("### Preview: something\n"), "a mark that is not ours does not show"


def test_a_preview_that_says_nothing_is_told_by_its_messages(repository: Repository) -> None:
    commands = Recorded({"preview": Done(code=1, output="", messages="error: no\n```\n/merge\n<img> @everybody\n")})
    change = change_of(base=repository.head, head=repository.head)
    report = preview(run_of(change=change), ["prod"], SECRETS, commands, repository.folder)
    assert "**No preview** (exit code 1)." in report.text
    assert "````text\nerror: no\n```\n/merge\n<img> @everybody\n````" in report.text


@pytest.mark.parametrize(
    ("foreign", "environment"),
    [(True, {**SECRETS, "GITHUB_TOKEN": "x" * 40}), (False, {"PATH": "/bin", "PULUMI_BACKEND_URL": ""})],
)
def test_a_fork_and_a_job_without_secrets_see_nothing_of_the_fleet(
    foreign: bool, environment: dict[str, str], tmp_path: Path
) -> None:
    commands = Recorded()
    report = preview(run_of(change=change_of(foreign=foreign)), ["prod"], environment, commands, tmp_path)
    assert commands.calls == [
        ("clawdet", "validate", "--stack", "prod"),
        ("clawdet", "preview", "--stack", "prod", "--markdown", "--empty-state"),
    ]
    for seen in commands.environments:
        assert not {*OF_THE_FLEET, *OF_THE_FORGE} & set(seen)
        assert seen["PATH"] == "/bin"
    assert "Made without secrets" in report.text
    assert report.code == 0


def test_the_longest_report_fits_a_comment_with_all_that_is_around_it(repository: Repository) -> None:
    base = repository.head
    names = "".join(f"Allow-loss: {'customer' * 5}{number:03}\n" for number in range(200))
    head = repository.commit(f"Let many go\n\n{names}")
    longest = Done(code=5, output="| ada \\@x | **new** |\n" * (60_000 // 23), messages="")
    change = change_of(base=base, head=head)
    report = preview(run_of(change=change), ["prod"], SECRETS, Recorded({"preview": longest}), repository.folder)
    assert len(report.text) < 65_000
    assert "and 150 more" in report.text


def test_what_does_not_validate_is_not_previewed(tmp_path: Path) -> None:
    commands = Recorded({"validate": Done(code=2, output="prod: 1 to mend\n", messages="error: customers[0]: no\n")})
    report = preview(run_of(change=change_of(foreign=True)), ["prod"], {}, commands, tmp_path)
    assert commands.words == ["validate"]
    assert report.code == 2
    assert "error: customers[0]: no" in report.text


def test_some_of_the_secrets_are_a_mistake_and_not_a_reason_to_look_at_less(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="PULUMI_BACKEND_URL is not"):
        preview(run_of(change=change_of()), ["prod"], {"HCLOUD_TOKEN": "x" * 64}, Recorded(), tmp_path)


def test_without_the_commits_nobody_guesses_what_was_named(repository: Repository) -> None:
    from clawdet_infra.ci.errors import GitError

    with pytest.raises(GitError):
        preview(run_of(change=change_of()), ["prod"], SECRETS, Recorded(), repository.folder)
