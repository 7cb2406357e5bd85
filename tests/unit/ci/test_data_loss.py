from __future__ import annotations

from pathlib import Path

import pytest

from clawdet_infra.ci.data_loss import named_losses
from clawdet_infra.ci.errors import GitError
from tests.support.repository import Repository, git


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository.make(tmp_path)
    made.commit("Begin\n\nAllow-loss: long-ago\n")
    return made


def named(repository: Repository, since: str) -> tuple[str, ...]:
    return named_losses(repository.folder, since=[since], until=repository.head).ids


def test_a_commit_names_what_it_may_lose(repository: Repository) -> None:
    since = repository.head
    repository.commit(
        "Let ada go\n\nShe has asked for it.\n\nSigned-off-by: somebody <x@example.com>\nAllow-loss: ada\n"
    )
    repository.commit("Let more go\n\nallow-LOSS: user123\nAllow-loss: shared-1\n")
    assert named(repository, since) == ("ada", "user123", "shared-1")


def test_what_was_named_before_does_not_count(repository: Repository) -> None:
    assert named(repository, repository.head) == ()


@pytest.mark.parametrize(
    "message",
    [
        "Allow-loss: ada\n",
        "Talk\n\nOne may write Allow-loss: ada in a commit.\n",
        "Talk\n\nThis paragraph is prose, and no list of trailers\nAllow-loss: ada\nas one sees.\n",
        "Talk\n\n    Allow-loss: ada\n",
        "Talk\n\nDisallow-loss: ada\n",
        "Talk\n\nAllow-loss:\n",
    ],
)
def test_what_merely_speaks_of_it_names_nothing(repository: Repository, message: str) -> None:
    since = repository.head
    repository.commit(message)
    assert named(repository, since) == ()


def test_the_message_of_a_squashed_branch_keeps_what_its_commits_named(repository: Repository) -> None:
    since = repository.head
    repository.commit(
        "Two customers leave (#12)\n\n* Let ada go\n\nShe asked.\n\nAllow-loss: ada\n\n* Let bob go\n\n"
        "Allow-loss: bob\n\n* Mend a typo\n\n---------\n\nCo-authored-by: somebody <x@example.com>\n"
    )
    assert named(repository, since) == ("ada", "bob")


@pytest.mark.parametrize(
    "value",
    [
        "--no-policy",
        "-s",
        "a b",
        "ada,bob",
        "ADA",
        "a/b",
        "<img src=x>",
        "@everybody",
        "`id`",
        "$(id)",
        "x" * 51,
        "ädа",
    ],
)
def test_what_is_no_id_is_left_out_and_its_commit_is_told(repository: Repository, value: str) -> None:
    since = repository.head
    commit = repository.commit(f"Try\n\nAllow-loss: {value}\nAllow-loss: ada\n")
    found = named_losses(repository.folder, since=[since], until=commit)
    assert found.ids == ("ada",)
    assert found.refused_in == (commit,)


def test_what_came_in_by_a_merge_of_the_target_was_named_for_another_change(repository: Repository) -> None:
    repository.switch("change", "main")
    repository.commit("Let ada go\n\nAllow-loss: ada\n")
    repository.switch("main")
    target = repository.commit("Let bob go\n\nAllow-loss: bob\n")
    repository.switch("change")
    repository.merge("main")
    assert named(repository, target) == ("ada",)


@pytest.mark.parametrize(
    "message",
    [
        "Zoë goes\n\n---\nAllow-loss: zoe\n\nAllow-loss: ada\n",
        "Written in a browser\r\n\r\nAllow-loss: ada\r\n",
        "Many lines between\n  \n\nAllow-loss:ada  \n\n\n",
    ],
)
def test_messages_are_read_as_people_and_forges_write_them(repository: Repository, message: str) -> None:
    since = repository.head
    repository.commit(message)
    assert named(repository, since) == ("ada",)


def test_a_shallow_clone_says_how_to_get_a_whole_one(repository: Repository, tmp_path: Path) -> None:
    repository.commit("Go on")
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{repository.folder}", "shallow")
    with pytest.raises(GitError, match=r"fetch-depth: 0"):
        named_losses(tmp_path / "shallow", since=["a" * 40], until=repository.head)
