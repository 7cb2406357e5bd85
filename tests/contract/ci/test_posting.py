"""The one comment and the one issue, on both forges."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from clawdet_infra.ci import comments
from clawdet_infra.ci.errors import SettingsError, TransientVcsError, VcsError
from clawdet_infra.ci.report import Report
from clawdet_infra.ci.run import Change, Forge, Run
from clawdet_infra.ci.vcs import VcsClient, client_for
from tests.contract.ci.forges import PROJECT, PROJECT_ID, Account, Answer, FakeForge, FakeGitHub, FakeGitLab, serving

TOKEN = "canary-forge-token-5d41402abc4b"
MALLORY = Account("mallory", 666)
HEAD = "b" * 40
CHANGE = Change(number=3, base="a" * 40, head=HEAD, target="main", foreign=False)
RUN = Run(forge=Forge.GITHUB, commit=HEAD, number=10, page="https://forge.example/jobs/10", change=CHANGE)
FINE = Report(kind="preview", code=0, commit=HEAD, text="### Preview: nothing changes\n")
DRIFTED = Report(kind="drift", code=7, commit=HEAD, text="The fleet is not what the main branch declares.\n")


@pytest.fixture(params=["github", "gitlab"])
def forge(request: pytest.FixtureRequest) -> Iterator[Any]:
    with serving(FakeGitHub() if request.param == "github" else FakeGitLab()) as running:
        running.accounts[TOKEN] = running.bot
        yield running


def environment_of(forge: FakeForge, token: str = TOKEN) -> dict[str, str]:
    if isinstance(forge, FakeGitHub):
        return {"GITHUB_API_URL": forge.url, "GITHUB_REPOSITORY": PROJECT, "GITHUB_TOKEN": token}
    return {"CI_API_V4_URL": forge.url, "CI_PROJECT_ID": str(PROJECT_ID), "CLAWDET_GITLAB_TOKEN": token}


def run_on(forge: FakeForge, number: int = 10) -> Run:
    return replace(RUN, number=number, forge=Forge.GITHUB if isinstance(forge, FakeGitHub) else Forge.GITLAB)


def desk(forge: FakeForge, token: str = TOKEN) -> VcsClient:
    return client_for(run_on(forge), environment_of(forge, token))


class Naps:
    """Waits that take no time, and are kept."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def say(forge: FakeForge, report: Report | None = FINE, number: int = 10, naps: Naps | None = None) -> str:
    return comments.comment(report, run_on(forge, number), CHANGE, desk(forge), sleep=naps or Naps())


def tell(forge: FakeForge, report: Report, number: int = 10) -> str:
    return comments.issue(report, run_on(forge, number), desk(forge), sleep=Naps())


def open_issues(forge: FakeForge) -> list[dict[str, Any]]:
    return [one for one in forge.issues if one["state"] in ("open", "opened")]


def text_of(issue: dict[str, Any]) -> str:
    return issue.get("body") or issue.get("description") or ""


def test_there_is_one_comment_however_often_it_runs(forge: Any) -> None:
    for number in range(10, 15):
        say(forge, replace(FINE, text=f"### Preview {number}\n"), number)
    assert len(forge.comments) == 1
    assert forge.texts() == ["<!-- clawdet:preview run:14 -->\n### Preview 14\n"]
    assert len(forge.writes) == 5


def test_the_comment_is_found_among_hundreds(forge: Any) -> None:
    for number in range(130):
        forge.put_comment(MALLORY, f"talk {number}")
    say(forge)
    for number in range(130):
        forge.put_comment(MALLORY, f"more talk {number}")
    before = len(forge.comments)
    say(forge, replace(FINE, text="### Anew\n"), 11)
    assert len(forge.comments) == before
    assert [text.split("\n")[1] for text in forge.texts()] == ["### Anew"]


def test_a_comment_of_somebody_else_with_the_same_mark_is_left_alone(forge: Any) -> None:
    """Filling it in would let its author change afterwards what it says."""
    mark = "<!-- clawdet:preview run:1 -->\n### Preview: nothing changes\n"
    forge.put_comment(MALLORY, mark)
    say(forge)
    assert forge.comments[0]["body"] == mark
    assert len(forge.texts()) == 1


def test_other_words_of_the_same_account_are_left_alone(forge: Any) -> None:
    forge.put_comment(forge.bot, "A label was added.")
    forge.put_comment(forge.bot, "> <!-- clawdet:preview run:1 -->\nquoted")
    say(forge)
    assert len(forge.comments) == 3


def test_a_comment_on_another_change_is_left_alone(forge: Any) -> None:
    forge.put_comment(forge.bot, "<!-- clawdet:preview run:1 -->\nother", 4)
    say(forge)
    assert forge.texts(4) == ["<!-- clawdet:preview run:1 -->\nother"]
    assert len(forge.texts(3)) == 1


def test_what_a_race_made_twice_is_made_one_again(forge: Any) -> None:
    for number in (7, 8, 9):
        forge.put_comment(forge.bot, f"<!-- clawdet:preview run:{number} -->\nold")
    say(forge)
    assert [text.split("\n")[0] for text in forge.texts()] == ["<!-- clawdet:preview run:10 -->"]


def test_a_job_that_was_overtaken_does_not_tell_what_is_old(forge: Any) -> None:
    say(forge, FINE, 12)
    assert "later run" in say(forge, replace(FINE, text="### Old\n"), 11)
    assert "nothing changes" in forge.texts()[0]
    say(forge, replace(FINE, text="### The same run again\n"), 12)
    assert "The same run again" in forge.texts()[0]


def test_without_a_report_the_old_one_does_not_stay(forge: Any) -> None:
    say(forge)
    say(forge, None, 11)
    assert len(forge.texts()) == 1
    assert "There is no preview" in forge.texts()[0]
    assert "nothing changes" not in forge.texts()[0]


def test_a_report_that_is_too_long_is_said_to_be_elsewhere(forge: Any) -> None:
    say(forge, replace(FINE, text="ä" * forge.longest))
    assert f"The report has {forge.longest} characters" in forge.texts()[0]
    assert RUN.page in forge.texts()[0]
    room = forge.longest - len("<!-- clawdet:preview run:10 -->\n")
    say(forge, replace(FINE, text="ä" * room), 10)
    assert forge.texts()[0].endswith("ä"), "what just fits is written whole"


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_a_busy_forge_is_asked_again(forge: Any, status: int) -> None:
    naps = Naps()
    where = desk(forge)
    forge.troubles = [Answer(status, {"message": "busy"}, {"Retry-After": "5"}), Answer(status, None)]
    comments.comment(FINE, run_on(forge), CHANGE, where, sleep=naps)
    assert naps.seconds == [5.0, 4.0]
    assert len(forge.texts()) == 1


def test_a_comment_whose_answer_was_lost_is_not_written_twice(forge: Any) -> None:
    forge.after_write = [Answer(502, {"message": "lost"})]
    say(forge)
    assert len(forge.texts()) == 1
    assert len(forge.writes) == 2, "the second time it was brought up to date"


def test_a_forge_that_stays_down_is_said_so_after_a_few_attempts(forge: Any) -> None:
    naps = Naps()
    where = desk(forge)
    forge.troubles = [Answer(503, {"message": "down"}) for _ in range(9)]
    with pytest.raises(TransientVcsError, match="503: down"):
        comments.comment(FINE, run_on(forge), CHANGE, where, sleep=naps)
    assert len(naps.seconds) == 3
    assert forge.comments == []


def test_a_token_that_may_not_is_told_and_not_shown(forge: Any) -> None:
    forge.accounts["weak-token"] = replace(forge.bot, may_write=frozenset())
    with pytest.raises(VcsError, match="403") as refused:
        comments.comment(FINE, run_on(forge), CHANGE, desk(forge, "weak-token"), sleep=Naps())
    assert "lacks a permission" in str(refused.value)
    assert "weak-token" not in str(refused.value)
    with pytest.raises(VcsError, match="401"):
        comments.comment(FINE, run_on(forge), CHANGE, desk(forge, "wrong-token"), sleep=Naps())


def test_a_missing_token_is_named_before_anything_is_asked(forge: Any) -> None:
    with pytest.raises(SettingsError, match="TOKEN is not set"):
        desk(forge, "")
    with pytest.raises(SettingsError, match="white space") as refused:
        desk(forge, "secret\r\nX-Evil: 1")
    assert "secret\r" not in str(refused.value)
    assert forge.requests == []


def test_the_token_goes_to_no_other_host(forge: Any) -> None:
    where = desk(forge)
    with serving(FakeGitHub()) as elsewhere:
        forge.troubles = [Answer(307, None, {"Location": f"{elsewhere.url}/steal"})]
        with pytest.raises(VcsError, match="307"):
            list(where.comments(3))
        forge.troubles = [Answer(200, [], {"Link": f'<{elsewhere.url}/steal>; rel="next"'})]
        with pytest.raises(VcsError, match="another host"):
            list(where.comments(3))
        assert elsewhere.requests == []


def test_two_at_once_leave_one_comment_after_the_next_run(forge: Any) -> None:
    threads = [threading.Thread(target=say, args=(forge, FINE, number)) for number in range(10, 16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    say(forge, FINE, 20)
    assert len(forge.comments) == 1


# --- the issue about drift ----------------------------------------------------------------------------------------


def test_drift_opens_one_issue_and_its_end_closes_it(forge: Any) -> None:
    for number in range(120):
        forge.put_issue(MALLORY, f"Something else {number}", None)
    assert tell(forge, replace(DRIFTED, code=0)) == "No drift, and no issue."
    assert tell(forge, DRIFTED) == "Opened an issue."
    assert tell(forge, replace(DRIFTED, code=5, text="Worse.\n"), 11) == "Brought the issue up to date."
    (ours,) = [one for one in open_issues(forge) if one["title"] == comments.ISSUE_TITLE]
    assert text_of(ours) == "<!-- clawdet:drift run:11 -->\nWorse.\n"
    assert tell(forge, replace(DRIFTED, code=1, text="The engine failed.\n"), 12).startswith("The check could not")
    assert text_of(ours).endswith("Worse.\n")
    assert tell(forge, replace(DRIFTED, code=0), 13) == "Closed the issue."
    assert len(open_issues(forge)) == 120
    assert "again" in forge.comments[-1]["body"]
    assert tell(forge, DRIFTED, 14) == "Opened an issue."
    assert len(open_issues(forge)) == 121


def test_an_issue_of_somebody_else_with_the_same_mark_is_left_alone(forge: Any) -> None:
    theirs = forge.put_issue(MALLORY, "Fake", "<!-- clawdet:drift run:1 -->\nAll is well.\n")
    tell(forge, DRIFTED)
    tell(forge, replace(DRIFTED, code=0), 11)
    assert theirs["state"] in ("open", "opened")
    assert len(open_issues(forge)) == 1


def test_a_pull_request_is_no_issue() -> None:
    with serving(FakeGitHub()) as running:
        assert isinstance(running, FakeGitHub)
        running.accounts[TOKEN] = running.bot
        request = running.put_issue(running.bot, "A change", "<!-- clawdet:drift run:1 -->\n", pull_request={})
        tell(running, replace(DRIFTED, code=0))
        assert request["state"] == "open"
