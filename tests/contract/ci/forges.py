"""GitHub and GitLab as far as comments and issues go: real servers on loopback that keep what they are given.

They are as strict as the documentation says: tokens and what each may do, headers, pages, lengths.
"""

from __future__ import annotations

import json
import re
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PROJECT = "clawdet/infra"
PROJECT_ID = 5


@dataclass(frozen=True)
class Account:
    """Whom a token belongs to, and what it may write: `comments`, `issues`."""

    name: str
    number: int
    may_write: frozenset[str] = frozenset({"comments", "issues"})


@dataclass(frozen=True)
class Answer:
    """What a server answers."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


Route = Callable[..., Answer]


@dataclass
class FakeForge:
    """What both have in common.  `comments` and `issues` are what is kept; `troubles` are answered before all else."""

    longest: int
    bot: Account
    accounts: dict[str, Account] = field(default_factory=dict)
    comments: list[dict[str, Any]] = field(default_factory=list)
    issues: list[dict[str, Any]] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    troubles: list[Answer] = field(default_factory=list)
    after_write: list[Answer] = field(default_factory=list)
    url: str = ""
    _last: int = 1000

    def next_id(self) -> int:
        self._last += 1
        return self._last

    def texts(self, change: int = 3) -> list[str]:
        """The comments on a change that the bot wrote."""
        raise NotImplementedError

    def answer(self, method: str, path: str, query: dict[str, str], headers: Any, body: Any) -> Answer:
        self.requests.append(f"{method} {path}")
        if self.troubles:
            return self.troubles.pop(0)
        account = self.accounts.get(self.token_of(headers))
        if account is None:
            return Answer(401, {"message": "Bad credentials"})
        for pattern, methods in self.routes.items():
            if match := re.fullmatch(pattern, path):
                if method not in methods:
                    return Answer(405, {"message": "Method Not Allowed"})
                done: Answer = methods[method](account, query, body, *(int(part) for part in match.groups()))
                if method != "GET" and done.status < 400:
                    self.writes.append(f"{method} {path}")
                    if self.after_write:
                        return self.after_write.pop(0)
                return done
        return Answer(404, {"message": "Not Found"})

    def token_of(self, headers: Any) -> str:
        raise NotImplementedError

    @property
    def routes(self) -> dict[str, dict[str, Route]]:
        raise NotImplementedError

    def page(self, path: str, entries: list[Any], query: dict[str, str]) -> Answer:
        size, number = min(int(query.get("per_page", "30")), 100), int(query.get("page", "1"))
        shown = entries[(number - 1) * size : number * size]
        headers = {}
        if number * size < len(entries):
            following = urllib.parse.urlencode({**query, "page": number + 1})
            first = urllib.parse.urlencode({**query, "page": 1})
            headers["Link"] = f'<{self.url}{path}?{first}>; rel="first", <{self.url}{path}?{following}>; rel="next"'
        return Answer(200, shown, headers)

    def checked(self, body: Any, key: str) -> Answer | None:
        """A refusal of a text, if there is a reason."""
        text = body.get(key) if isinstance(body, dict) else None
        if not isinstance(text, str) or not text.strip():
            return Answer(422, {"message": f"{key} can't be blank"})
        if len(text) > self.longest:
            return Answer(422, {"message": f"{key} is too long (maximum is {self.longest} characters)"})
        return None


@dataclass
class FakeGitHub(FakeForge):
    longest: int = 65_536
    bot: Account = Account("github-actions[bot]", 41898282)

    def token_of(self, headers: Any) -> str:
        assert headers["User-Agent"], "GitHub refuses requests without one"
        assert headers["Accept"] == "application/vnd.github+json"
        assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", headers["X-GitHub-Api-Version"])
        return (headers["Authorization"] or "").removeprefix("Bearer ")

    def texts(self, change: int = 3) -> list[str]:
        return [
            one["body"] for one in self.comments if one["issue"] == change and one["user"]["login"] == self.bot.name
        ]

    def put_comment(self, author: Account, text: str, change: int = 3) -> dict[str, Any]:
        made = {
            "id": self.next_id(),
            "issue": change,
            "user": {"login": author.name, "id": author.number},
            "body": text,
        }
        self.comments.append(made)
        return made

    def put_issue(self, author: Account, title: str, text: str | None, **more: Any) -> dict[str, Any]:
        made = {"number": self.next_id(), "title": title, "body": text, "state": "open", "user": {"login": author.name}}
        self.issues.append(made | more)
        return self.issues[-1]

    @property
    def routes(self) -> dict[str, dict[str, Route]]:
        base = f"/repos/{PROJECT}"
        return {
            rf"{base}/issues/(\d+)/comments": {"GET": self._list_comments, "POST": self._add_comment},
            rf"{base}/issues/comments/(\d+)": {"PATCH": self._edit_comment, "DELETE": self._remove_comment},
            rf"{base}/issues": {"GET": self._list_issues, "POST": self._add_issue},
            rf"{base}/issues/(\d+)": {"PATCH": self._edit_issue},
        }

    def _denied(self, account: Account, what: str) -> Answer | None:
        if what in account.may_write:
            return None
        return Answer(403, {"message": "Resource not accessible by integration", "status": "403"})

    def _list_comments(self, account: Account, query: dict[str, str], body: Any, change: int) -> Answer:
        found = [one for one in self.comments if one["issue"] == change]
        return self.page(f"/repos/{PROJECT}/issues/{change}/comments", found, query)

    def _add_comment(self, account: Account, query: dict[str, str], body: Any, change: int) -> Answer:
        # A token for issues may comment on issues, one for pull requests on these.
        numbers = {one["number"] for one in self.issues if "pull_request" not in one}
        refused = self._denied(account, "issues" if change in numbers else "comments") or self.checked(body, "body")
        return refused or Answer(201, self.put_comment(account, body["body"], change))

    def _edit_comment(self, account: Account, query: dict[str, str], body: Any, number: int) -> Answer:
        for one in self.comments:
            if one["id"] == number:
                if refused := self._denied(account, "comments") or self.checked(body, "body"):
                    return refused
                one["body"] = body["body"]
                return Answer(200, one)
        return Answer(404, {"message": "Not Found"})

    def _remove_comment(self, account: Account, query: dict[str, str], body: Any, number: int) -> Answer:
        if refused := self._denied(account, "comments"):
            return refused
        self.comments[:] = [one for one in self.comments if one["id"] != number]
        return Answer(204)

    def _list_issues(self, account: Account, query: dict[str, str], body: Any) -> Answer:
        state = query.get("state", "open")
        found = [one for one in self.issues if state in ("all", one["state"])]
        return self.page(f"/repos/{PROJECT}/issues", found, query)

    def _add_issue(self, account: Account, query: dict[str, str], body: Any) -> Answer:
        refused = self._denied(account, "issues") or self.checked(body, "title") or self.checked(body, "body")
        return refused or Answer(201, self.put_issue(account, body["title"], body["body"]))

    def _edit_issue(self, account: Account, query: dict[str, str], body: Any, number: int) -> Answer:
        if refused := self._denied(account, "issues"):
            return refused
        for one in self.issues:
            if one["number"] == number:
                assert body.get("state", "open") in ("open", "closed")
                assert set(body) <= {"title", "body", "state", "state_reason"}
                one |= body
                return Answer(200, one)
        return Answer(404, {"message": "Not Found"})


@dataclass
class FakeGitLab(FakeForge):
    longest: int = 1_000_000
    bot: Account = Account("project_5_bot_0f", 77)

    def token_of(self, headers: Any) -> str:
        return headers["PRIVATE-TOKEN"] or ""

    def texts(self, change: int = 3) -> list[str]:
        return [one["body"] for one in self.comments if one["iid"] == change and one["author"]["id"] == self.bot.number]

    def put_comment(self, author: Account, text: str, change: int = 3, *, system: bool = False) -> dict[str, Any]:
        made = {
            "id": self.next_id(),
            "iid": change,
            "author": {"id": author.number, "username": author.name},
            "body": text,
            "system": system,
        }
        self.comments.append(made)
        return made

    def put_issue(self, author: Account, title: str, text: str | None, **more: Any) -> dict[str, Any]:
        made = {
            "id": self.next_id(),
            "iid": self.next_id(),
            "title": title,
            "description": text,
            "state": "opened",
            "author": {"id": author.number},
        }
        self.issues.append(made | more)
        return self.issues[-1]

    @property
    def routes(self) -> dict[str, dict[str, Route]]:
        base = f"/projects/{PROJECT_ID}"
        return {
            r"/user": {"GET": lambda account, query, body: Answer(200, {"id": account.number})},
            rf"{base}/merge_requests/(\d+)/notes": {"GET": self._list_notes, "POST": self._add_note},
            rf"{base}/merge_requests/(\d+)/notes/(\d+)": {"PUT": self._edit_note, "DELETE": self._remove_note},
            rf"{base}/issues": {"GET": self._list_issues, "POST": self._add_issue},
            rf"{base}/issues/(\d+)": {"PUT": self._edit_issue},
            rf"{base}/issues/(\d+)/notes": {"POST": self._add_issue_note},
        }

    def _denied(self, account: Account, what: str) -> Answer | None:
        return None if what in account.may_write else Answer(403, {"message": "403 Forbidden"})

    def _list_notes(self, account: Account, query: dict[str, str], body: Any, change: int) -> Answer:
        found = [one for one in self.comments if one["iid"] == change]
        found.sort(key=lambda one: one["id"], reverse=query.get("sort", "desc") == "desc")
        return self.page(f"/projects/{PROJECT_ID}/merge_requests/{change}/notes", found, query)

    def _add_note(self, account: Account, query: dict[str, str], body: Any, change: int) -> Answer:
        refused = self._denied(account, "comments") or self.checked(body, "body") or self._order_in(body["body"])
        return refused or Answer(201, self.put_comment(account, body["body"], change))

    def _edit_note(self, account: Account, query: dict[str, str], body: Any, change: int, number: int) -> Answer:
        for one in self.comments:
            if (one["iid"], one["id"]) == (change, number):
                if one["author"]["id"] != account.number:
                    return Answer(403, {"message": "403 Forbidden"})
                if refused := self.checked(body, "body") or self._order_in(body["body"]):
                    return refused
                one["body"] = body["body"]
                return Answer(200, one)
        return Answer(404, {"message": "404 Note Not Found"})

    def _remove_note(self, account: Account, query: dict[str, str], body: Any, change: int, number: int) -> Answer:
        self.comments[:] = [one for one in self.comments if one["id"] != number]
        return Answer(204)

    def _list_issues(self, account: Account, query: dict[str, str], body: Any) -> Answer:
        found = [one for one in self.issues if query.get("state") in (None, "all", one["state"])]
        return self.page(f"/projects/{PROJECT_ID}/issues", found, query)

    def _add_issue(self, account: Account, query: dict[str, str], body: Any) -> Answer:
        refused = self._denied(account, "issues") or self.checked(body, "title") or self.checked(body, "description")
        return refused or Answer(201, self.put_issue(account, body["title"], body["description"]))

    def _edit_issue(self, account: Account, query: dict[str, str], body: Any, number: int) -> Answer:
        for one in self.issues:
            if one["iid"] == number:
                assert set(body) <= {"title", "description", "state_event"}
                if "description" in body:
                    one["description"] = body["description"]
                if event := body.get("state_event"):
                    one["state"] = {"close": "closed", "reopen": "opened"}[event]
                return Answer(200, one)
        return Answer(404, {"message": "404 Not found"})

    def _add_issue_note(self, account: Account, query: dict[str, str], body: Any, issue: int) -> Answer:
        refused = self.checked(body, "body")
        return refused or Answer(201, self.put_comment(account, body["body"], -issue))

    def _order_in(self, text: str) -> Answer | None:
        """A line such as `/merge` would be carried out, with the rights of the token."""
        outside = re.sub(r"^(`{3,}).*?^\1$", "", text, flags=re.DOTALL | re.MULTILINE)
        return Answer(418, {"message": "that was an order"}) if re.search(r"(?m)^\s*/\w", outside) else None


@contextmanager
def serving(forge: FakeForge) -> Iterator[FakeForge]:
    """Run a forge; its `url` is then where its interface is."""

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            parts = urllib.parse.urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            content = self.rfile.read(length)
            if content:
                assert self.headers["Content-Type"] == "application/json"
            body = json.loads(content) if content else None
            query = dict(urllib.parse.parse_qsl(parts.query))
            with lock:
                answer = forge.answer(self.command, parts.path, query, self.headers, body)
            payload = b"" if answer.body is None else json.dumps(answer.body).encode()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = handle_any  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            """Keep quiet."""

    lock = threading.Lock()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    forge.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield forge
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
