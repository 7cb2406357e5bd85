"""A small client for the REST interfaces of forges: JSON, pages, and errors that say what to do."""

from __future__ import annotations

import http.client
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from typing import IO, Any

from clawdet_infra.ci.errors import SettingsError, TransientVcsError, VcsError

_SECONDS = 30
_NEXT = re.compile(r'<([^<>]+)>\s*;\s*rel="next"')
_TOO_MANY, _SERVER_ERROR = 429, 500
_GONE = (404, 409, 410)


@dataclass(frozen=True, kw_only=True)
class Rest:
    """`name` is whose interface it is, `base` its URL; `headers` has the token, and goes to no other host."""

    name: str
    base: str
    headers: Mapping[str, str]

    def __post_init__(self) -> None:
        if urllib.parse.urlsplit(self.base).scheme not in ("http", "https"):
            raise SettingsError(f"The URL of {self.name}'s interface is no web address: {self.base}")

    def send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Make one request, and return the answer.

        Raises TransientVcsError where the forge is busy or cannot be reached, and VcsError where it says no.
        """
        return self._call(method, self.base.rstrip("/") + path, body)[0]

    def pages(self, path: str) -> Iterator[Any]:
        """Return the entries of all pages of a list.  Raises as `send` does."""
        url: str | None = f"{self.base.rstrip('/')}{path}{'&' if '?' in path else '?'}per_page=100"
        while url is not None:
            entries, headers = self._call("GET", url, None)
            yield from entries
            found = _NEXT.search(headers.get("Link", ""))
            url = found[1] if found else None
            if url is not None and urllib.parse.urlsplit(url)[:2] != urllib.parse.urlsplit(self.base)[:2]:
                raise VcsError(f"{self.name} names a next page on another host, which does not get the token.")

    def _call(self, method: str, url: str, body: Mapping[str, Any] | None) -> tuple[Any, Message]:
        headers = {"User-Agent": "clawdet-reviews", **self.headers}
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(url, data=data, headers=headers, method=method)  # noqa: S310 -- checked above
        path = urllib.parse.urlsplit(url).path
        try:
            with _OPENER.open(request, timeout=_SECONDS) as response:
                content = response.read()
                return (json.loads(content) if content else None), response.headers
        except urllib.error.HTTPError as error:
            with error:
                raise self._refusal(error, f"{method} {path}") from None
        except (OSError, http.client.HTTPException) as error:
            # URLError is an OSError; its text has the reason, and no header.
            raise TransientVcsError(f"{self.name} cannot be reached for {method} {path}: {error}") from None
        except ValueError:
            raise TransientVcsError(f"{self.name} answered {method} {path} with something that is no JSON.") from None

    def _refusal(self, error: urllib.error.HTTPError, call: str) -> VcsError:
        said = f"{self.name} answered {call} with {error.code}: {_reason(error)}"
        wait = _seconds(error.headers.get("Retry-After"))
        limited = error.code == 403 and (wait is not None or error.headers.get("X-RateLimit-Remaining") == "0")
        # What was listed a moment ago was removed or changed by another job meanwhile.
        overtaken = error.code in _GONE and not call.startswith("GET ")
        if error.code == _TOO_MANY or error.code >= _SERVER_ERROR or limited or overtaken:
            return TransientVcsError(said, wait)
        if error.code in (401, 403):
            said += " The token is wrong, has expired, or lacks a permission; see docs/how-to/review-pull-requests.md."
        return VcsError(said)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would take the token along to wherever it leads."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> None:
        """Follow none: the redirect itself is the answer, and an error."""
        return


_OPENER = urllib.request.build_opener(_NoRedirects)


def _reason(error: urllib.error.HTTPError) -> str:
    """Return the message of an answer, in one line."""
    text = error.read(20_000).decode("utf-8", "replace")
    try:
        body = json.loads(text)
    except ValueError:
        body = None
    message = body.get("message") or body.get("error") if isinstance(body, dict) else None
    flat = " ".join(str(message or error.reason).split())
    return f"{flat[:300].rstrip('.')}."


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.isdigit() else None
