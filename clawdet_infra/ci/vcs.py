"""Comments and issues on GitHub and GitLab, in one form."""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from clawdet_infra.ci.errors import SettingsError
from clawdet_infra.ci.rest import Rest
from clawdet_infra.ci.run import Forge, Run, number_in, required

GITHUB_AUTHOR = "github-actions[bot]"


@dataclass(frozen=True, kw_only=True)
class Note:
    """A comment, or an issue: `number` is what the forge calls it, `own` whether this job's account wrote it."""

    number: int
    text: str
    own: bool


class VcsClient(Protocol):
    """Where results are told.  All raise VcsError, and TransientVcsError where a second attempt may succeed."""

    @property
    def longest(self) -> int:
        """The most characters of a text."""
        ...

    def comments(self, change: int) -> Iterator[Note]:
        """Return all comments on a change."""
        ...

    def add_comment(self, change: int, text: str) -> None:
        """Write a comment."""
        ...

    def edit_comment(self, change: int, comment: int, text: str) -> None:
        """Write a comment anew."""
        ...

    def remove_comment(self, change: int, comment: int) -> None:
        """Remove a comment."""
        ...

    def issues(self) -> Iterator[Note]:
        """Return all open issues."""
        ...

    def add_issue(self, title: str, text: str) -> None:
        """Open an issue."""
        ...

    def edit_issue(self, issue: int, text: str) -> None:
        """Write an issue's text anew."""
        ...

    def close_issue(self, issue: int, last_words: str) -> None:
        """Say why in a comment, and close the issue."""
        ...


def client_for(run: Run, environment: Mapping[str, str]) -> VcsClient:
    """Return the desk of the forge that runs this job.  Raises SettingsError where a variable is missing."""
    return GitHub.of(environment) if run.forge is Forge.GITHUB else GitLab.of(environment)


@dataclass(frozen=True, kw_only=True)
class GitHub:
    """A repository on GitHub.  Pull requests are issues to its interface, as far as comments go."""

    rest: Rest
    path: str
    author: str
    longest: int = 65_536

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> GitHub:
        """Return the repository of this job."""
        token = _token(environment, "GITHUB_TOKEN")
        rest = Rest(
            name="GitHub",
            base=required(environment, "GITHUB_API_URL"),
            headers={
                "Authorization": f"Bearer {token}",
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": "2022-11-28",
            },
        )
        project = urllib.parse.quote(required(environment, "GITHUB_REPOSITORY"))
        author = environment.get("CLAWDET_REVIEW_AUTHOR") or GITHUB_AUTHOR
        return cls(rest=rest, path=f"/repos/{project}", author=author)

    def comments(self, change: int) -> Iterator[Note]:
        """Return all comments on a change."""
        for entry in self.rest.pages(f"{self.path}/issues/{change}/comments"):
            yield self._note(entry, entry["id"])

    def add_comment(self, change: int, text: str) -> None:
        """Write a comment."""
        self.rest.send("POST", f"{self.path}/issues/{change}/comments", {"body": text})

    def edit_comment(self, change: int, comment: int, text: str) -> None:
        """Write a comment anew."""
        self.rest.send("PATCH", f"{self.path}/issues/comments/{comment}", {"body": text})

    def remove_comment(self, change: int, comment: int) -> None:
        """Remove a comment."""
        self.rest.send("DELETE", f"{self.path}/issues/comments/{comment}")

    def issues(self) -> Iterator[Note]:
        """Return all open issues."""
        for entry in self.rest.pages(f"{self.path}/issues?state=open"):
            if "pull_request" not in entry:
                yield self._note(entry, entry["number"])

    def add_issue(self, title: str, text: str) -> None:
        """Open an issue."""
        self.rest.send("POST", f"{self.path}/issues", {"title": title, "body": text})

    def edit_issue(self, issue: int, text: str) -> None:
        """Write an issue's text anew."""
        self.rest.send("PATCH", f"{self.path}/issues/{issue}", {"body": text})

    def close_issue(self, issue: int, last_words: str) -> None:
        """Say why in a comment, and close the issue."""
        self.add_comment(issue, last_words)
        self.rest.send("PATCH", f"{self.path}/issues/{issue}", {"state": "closed", "state_reason": "completed"})

    def _note(self, entry: Mapping[str, Any], number: int) -> Note:
        user = entry.get("user") or {}  # A deleted account has none.
        return Note(number=number, text=entry.get("body") or "", own=user.get("login") == self.author)


@dataclass(frozen=True, kw_only=True)
class GitLab:
    """A project on GitLab.  `author` is the number of the token's account."""

    rest: Rest
    path: str
    author: int
    longest: int = 1_000_000

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> GitLab:
        """Return the project of this job."""
        token = _token(environment, "CLAWDET_GITLAB_TOKEN")
        rest = Rest(name="GitLab", base=required(environment, "CI_API_V4_URL"), headers={"PRIVATE-TOKEN": token})
        project = environment.get("CI_MERGE_REQUEST_PROJECT_ID") or required(environment, "CI_PROJECT_ID")
        author = rest.send("GET", "/user")["id"]
        return cls(rest=rest, path=f"/projects/{number_in(project, 'CI_PROJECT_ID')}", author=author)

    def comments(self, change: int) -> Iterator[Note]:
        """Return all comments on a change."""
        for entry in self.rest.pages(f"{self.path}/merge_requests/{change}/notes?sort=asc&order_by=created_at"):
            if not entry.get("system"):
                yield self._note(entry, entry["id"], entry.get("body"))

    def add_comment(self, change: int, text: str) -> None:
        """Write a comment."""
        self.rest.send("POST", f"{self.path}/merge_requests/{change}/notes", {"body": text})

    def edit_comment(self, change: int, comment: int, text: str) -> None:
        """Write a comment anew."""
        self.rest.send("PUT", f"{self.path}/merge_requests/{change}/notes/{comment}", {"body": text})

    def remove_comment(self, change: int, comment: int) -> None:
        """Remove a comment."""
        self.rest.send("DELETE", f"{self.path}/merge_requests/{change}/notes/{comment}")

    def issues(self) -> Iterator[Note]:
        """Return all open issues."""
        for entry in self.rest.pages(f"{self.path}/issues?state=opened"):
            yield self._note(entry, entry["iid"], entry.get("description"))

    def add_issue(self, title: str, text: str) -> None:
        """Open an issue."""
        self.rest.send("POST", f"{self.path}/issues", {"title": title, "description": text})

    def edit_issue(self, issue: int, text: str) -> None:
        """Write an issue's text anew."""
        self.rest.send("PUT", f"{self.path}/issues/{issue}", {"description": text})

    def close_issue(self, issue: int, last_words: str) -> None:
        """Say why in a comment, and close the issue."""
        self.rest.send("POST", f"{self.path}/issues/{issue}/notes", {"body": last_words})
        self.rest.send("PUT", f"{self.path}/issues/{issue}", {"state_event": "close"})

    def _note(self, entry: Mapping[str, Any], number: int, text: str | None) -> Note:
        author = entry.get("author") or {}
        return Note(number=number, text=text or "", own=author.get("id") == self.author)


def _token(environment: Mapping[str, str], name: str) -> str:
    token = environment.get(name)
    if not token:
        raise SettingsError(f"{name} is not set, so nothing can be written; see docs/how-to/review-pull-requests.md.")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise SettingsError(f"{name} has white space or other characters that no token has (it is not shown).")
    return token
