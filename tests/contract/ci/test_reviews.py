"""The workflows as they are written, on real commits, with the real engine on a cloud without machines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from clawdet_infra.ci.comments import ISSUE_TITLE
from tests.contract.ci.runners import Outcome, merge_request, pull_request
from tests.contract.ci.world import FORGE_TOKEN, FORK_TOKEN, World

# On one worker, since the company and its first deployment take a sixth of their time.
pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("workflows")]

EVERYBODY = {"ada": "free", "bob": "pro", "user123": "pro"}
WITHOUT_BOB = {"ada": "free", "user123": "pro"}
NASTY = '"><img src=https://example.com/x.png> @everybody ![x](https://example.com) `\n/merge\n::add-mask::x'


def on_pull_request(world: World, number: int, *, fork: bool = False) -> Outcome:
    """Push this branch, and let GitHub run what it runs then."""
    base, head = world.repository.push(number)
    return world.on_github.run(
        "preview.yml",
        "pull_request",
        pull_request(base, head, fork=fork, number=number),
        f"refs/pull/{number}/merge",
        secrets={} if fork else world.secrets,
        token=FORK_TOKEN if fork else FORGE_TOKEN,
    )


def on_merge_request(
    world: World, number: int, scoped: Mapping[str, Mapping[str, str]], *, fork: bool = False
) -> Outcome:
    base, head = world.repository.push(number)
    return world.on_gitlab.run(
        ["preview", "comment"], head, merge_request(base, head, fork=fork, number=number), scoped=scoped
    )


def on_push(world: World) -> Outcome:
    """Push the main branch, and let GitHub deploy it."""
    before, after = world.repository.push_main()
    event = {"before": before, "after": after, "ref": "refs/heads/main"}
    return world.on_github.run("deploy.yml", "push", event, "main", secrets=world.secrets, token=FORGE_TOKEN)


def at_night(world: World) -> Outcome:
    return world.on_github.run("drift.yml", "schedule", {}, "main", secrets=world.secrets, token=FORGE_TOKEN)


def obeyed(log: str) -> list[str]:
    """The lines of a log that GitHub would take for commands."""
    found, closing = [], ""
    for line in log.splitlines():
        if closing:
            closing = "" if line == closing else closing
        elif begun := re.fullmatch(r"::stop-commands::([0-9a-f]{32})", line):
            closing = f"::{begun[1]}::"
        elif line.lstrip().startswith("::") or line.startswith("##["):
            found.append(line)
    assert "::stop-commands::" in log, "nobody stopped commands"
    assert not closing, "commands stay stopped"
    return found


# --- pull requests ------------------------------------------------------------------------------------------------


def test_a_loss_is_refused_until_a_commit_names_it_in_one_comment(world: World) -> None:
    world.branch("let-bob-go")
    world.edit("Let bob go", WITHOUT_BOB)
    refused = on_pull_request(world, 11)
    assert refused.codes == {"scripts/ci/preview": 5, "scripts/ci/comment": 0}, refused.log
    (text,) = world.github.texts(11)
    (comment,) = [one for one in world.github.comments if one["issue"] == 11]
    assert "bob" in text
    assert "Refused, by a policy or because something would be lost" in text
    assert refused.summary.strip() == text.split("\n", 1)[1].strip(), "the summary says the same"

    world.repository.work.commit("Say that it is meant\n\nHe has asked for it.\n\nAllow-loss: bob\n")
    allowed = on_pull_request(world, 11)
    assert allowed.codes == {"scripts/ci/preview": 0, "scripts/ci/comment": 0}, allowed.log
    assert [one["id"] for one in world.github.comments if one["issue"] == 11] == [comment["id"]]
    (text,) = world.github.texts(11)
    assert "Losses named by `Allow-loss`: `bob`." in text
    assert "Refused" not in text
    for outcome in (refused, allowed):
        world.nothing_leaked(outcome)
        assert obeyed(outcome.log) == []
    assert world.servers() == {"shared-1", "bob", "user123"}, "a preview changes nothing"


def test_a_mistake_is_told_without_the_engine_and_does_no_harm(world: World) -> None:
    world.branch("mistake")
    world.edit("Add a name that is none", {**EVERYBODY, "eve": {"plan": "pro", "subdomain": NASTY}})
    outcome = on_pull_request(world, 12)
    assert outcome.codes == {"scripts/ci/preview": 2, "scripts/ci/comment": 0}, outcome.log
    (text,) = world.github.texts(12)
    assert "The configuration is wrong" in text
    assert "eve" in text
    assert not re.search(r"(?<![\\\w])<img|@everybody|!\[|^\s*/merge", text, re.MULTILINE)
    assert obeyed(outcome.log) == []
    world.nothing_leaked(outcome)


def test_a_fork_gets_no_secret_and_writes_nothing_but_the_summary(world: World) -> None:
    world.branch("from-a-fork")
    world.edit("Add eve\n\nAllow-loss: bob\n", {**WITHOUT_BOB, "eve": "enterprise"})
    before = len(world.github.requests)
    outcome = on_pull_request(world, 13, fork=True)
    assert outcome.codes == {"scripts/ci/preview": 0, "scripts/ci/comment": 0}, outcome.log
    assert len(world.github.requests) == before, "the forge was not even asked"
    assert "Made without secrets" in outcome.summary
    assert "eve" in outcome.summary
    assert "198.18." not in outcome.summary, "nothing of the running fleet is in it"
    world.nothing_leaked(outcome)


def test_a_change_of_a_setting_that_secrets_depend_on_is_a_clear_error(world: World) -> None:
    world.branch("forgotten-secret")
    world.repository.work.commit("Change nothing")
    base, head = world.repository.push(14)
    outcome = world.on_github.run(
        "preview.yml",
        "pull_request",
        pull_request(base, head, number=14),
        "refs/pull/14/merge",
        secrets={name: value for name, value in world.secrets.items() if name != "PULUMI_BACKEND_URL"},
        token=FORGE_TOKEN,
    )
    assert outcome.codes == {"scripts/ci/preview": 2, "scripts/ci/comment": 0}, outcome.log
    (text,) = world.github.texts(14)
    assert "PULUMI_BACKEND_URL is not" in text
    world.nothing_leaked(outcome)


# --- merge requests -----------------------------------------------------------------------------------------------


def test_gitlab_says_the_same_in_one_note(world: World) -> None:
    scoped = {"preview": world.secrets, "reviews": {"CLAWDET_GITLAB_TOKEN": FORGE_TOKEN}}
    world.branch("add-eve")
    world.edit("Add eve", {**EVERYBODY, "eve": "pro"})
    first = on_merge_request(world, 21, scoped)
    assert first.codes == {"scripts/ci/preview": 0, "scripts/ci/comment": 0}, first.log
    (text,) = world.gitlab.texts(21)
    assert "| eve |" in text
    world.edit("Add a name that is none", {**EVERYBODY, "eve": {"plan": "pro", "subdomain": NASTY}})
    second = on_merge_request(world, 21, scoped)
    assert second.codes == {"scripts/ci/preview": 2, "scripts/ci/comment": 0}, second.log
    (text,) = world.gitlab.texts(21)
    assert "The configuration is wrong" in text
    assert "| eve |" not in text
    assert len(world.gitlab.comments) == 1
    for outcome in (first, second):
        world.nothing_leaked(outcome)


def test_a_fork_on_gitlab_gets_no_secret_also_where_the_project_would_give_it(world: World) -> None:
    """A member can start a fork's pipeline in the project itself, with all of its variables."""
    world.branch("from-a-fork-of-gitlab")
    world.edit("Add a mistake", {**EVERYBODY, "eve": {"plan": "pro", "limits": {"memory": 1}}})
    before = len(world.gitlab.requests)
    outcome = on_merge_request(world, 22, {"preview": world.secrets, "reviews": {}}, fork=True)
    assert outcome.codes == {"scripts/ci/preview": 2, "scripts/ci/comment": 0}, outcome.log
    assert len(world.gitlab.requests) == before
    assert "Made without secrets" in outcome.log
    world.nothing_leaked(outcome)


# --- the night ----------------------------------------------------------------------------------------------------


def open_issues(world: World) -> list[dict[str, Any]]:
    return [one for one in world.github.issues if one["state"] == "open"]


def test_drift_opens_an_issue_and_its_end_closes_it(world: World) -> None:
    server = world.cloud.client().servers.get_by_name("user123")
    assert server is not None
    assert server.labels is not None
    labels = dict(server.labels)
    server.update(labels={**labels, "clawdet-plan": "enterprise"})
    found = at_night(world)
    assert found.codes == {"scripts/ci/drift": 7, "scripts/ci/issue": 0}, found.log
    (issue,) = open_issues(world)
    assert issue["title"] == ISSUE_TITLE
    assert "user123" in issue["body"]

    server.update(labels=labels)
    mended = at_night(world)
    assert mended.codes == {"scripts/ci/drift": 0, "scripts/ci/issue": 0}, mended.log
    assert open_issues(world) == []
    for outcome in (found, mended):
        world.nothing_leaked(outcome)
        assert "198.18." not in outcome.summary


# The same scripts as on GitHub; tests of the files show that GitLab runs them in this order.
@pytest.mark.slow
def test_drift_opens_an_issue_on_gitlab(world: World) -> None:
    server = world.cloud.client().servers.get_by_name("user123")
    assert server is not None
    assert server.labels is not None
    labels = dict(server.labels)
    server.update(labels={**labels, "clawdet-plan": "enterprise"})
    scoped = {"preview": world.secrets, "reviews": {"CLAWDET_GITLAB_TOKEN": FORGE_TOKEN}}
    given = {"CI_PIPELINE_SOURCE": "schedule"}
    found = world.on_gitlab.run(["drift", "issue"], "main", given, scoped=scoped)
    server.update(labels=labels)
    assert found.codes == {"scripts/ci/drift": 7, "scripts/ci/issue": 0}, found.log
    assert [one["title"] for one in world.gitlab.issues] == [ISSUE_TITLE]
    world.nothing_leaked(found)
    assert "198.18." not in found.summary


# --- merges -------------------------------------------------------------------------------------------------------


def test_a_push_allows_the_losses_named_since_the_last_deployment_and_no_others(world: World) -> None:
    world.repository.work.switch("main")
    world.edit("Let bob go\n\nAllow-loss: bob\nAllow-loss: user123\n", WITHOUT_BOB)
    world.repository.push_main()  # GitHub drops this deployment, as it does where another one comes while it waits.
    world.edit("Add eve", {**WITHOUT_BOB, "eve": "pro"})
    done = on_push(world)
    assert done.codes == {"scripts/ci/deploy": 0}, done.log
    assert "**Deployed** in " in done.summary
    assert "Losses named by `Allow-loss`: `bob`, `user123`." in done.summary
    assert world.servers() == {"shared-1", "user123", "eve"}

    world.edit("Let user123 go by mistake", {"ada": "free", "eve": "pro"})
    refused = on_push(world)
    assert refused.codes == {"scripts/ci/deploy": 5}, refused.log
    assert "**Not deployed.**" in refused.summary
    assert world.servers() == {"shared-1", "user123", "eve"}
    for outcome in (done, refused):
        world.nothing_leaked(outcome)
        assert obeyed(outcome.log) == []


@pytest.mark.slow  # Two deployments more: the default tier shows a loss that was named once with one that stayed.
def test_what_was_named_once_and_came_back_is_not_allowed_for_ever(world: World) -> None:
    world.repository.work.switch("main")
    world.edit("Let bob go\n\nAllow-loss: bob\n", WITHOUT_BOB)
    gone = on_push(world)
    assert gone.codes == {"scripts/ci/deploy": 0}, gone.log
    assert world.servers() == {"shared-1", "user123"}
    world.edit("Let bob come back", EVERYBODY)
    back = on_push(world)
    assert back.codes == {"scripts/ci/deploy": 0}, back.log
    world.edit("Let bob go by mistake", WITHOUT_BOB)
    again = on_push(world)
    assert again.codes == {"scripts/ci/deploy": 5}, again.log
    assert world.servers() == {"shared-1", "user123", "bob"}
