"""Faults for single calls, added and removed while the cloud runs: `/faults`, outside of Hetzner's `/v1`.

These requests need the API's token like all others.  They take nothing of the rate limit, and no fault applies to them.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Annotated, Any

from aiohttp import web
from pydantic import ConfigDict, Field

from localcloud.api.call import Reply
from localcloud.api.errors import invalid, not_found
from localcloud.api.faults import CODES, DEFAULT_CODE, Faults, Rule, facts_of_object
from localcloud.api.inputs import Input, parse, read_id, read_json
from localcloud.api.state import State

PATH = "/faults"
_ACTION = re.compile(r"ACTION [a-z_]+")


class _New(Input):
    """A rule as a client writes it; see `localcloud.api.faults.Rule`."""

    # A misspelt field would make a rule that applies to other calls than was meant.
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    route: str
    code: str | None = None
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    times: Annotated[int, Field(ge=1)] | None = None
    delay: Annotated[float, Field(ge=0, le=3600)] = 0.0
    match: dict[str, Any] = Field(default_factory=dict)


def listed(faults: Faults) -> Reply:
    """Answer `GET /faults`."""
    return Reply(200, {"faults": [_view(rule) for rule in faults.added]})


def added(faults: Faults, text: str, routes: Collection[str]) -> Reply:
    """Answer `POST /faults`; `routes` are the names of all routes.  Raises json_error and invalid_input."""
    new = parse(_New, read_json(text))
    if new.route != "*" and new.route not in routes and not _ACTION.fullmatch(new.route):
        raise invalid("route", f"Not a route, for example 'POST /servers', 'ACTION start_server' or '*': {new.route}")
    if new.code is not None and new.code not in CODES:
        raise invalid("code", f"Not an error code; known are {', '.join(CODES)}")
    code = new.code if new.code is not None or new.delay else DEFAULT_CODE
    rule = Rule(new.route, code, share=new.share, times=new.times, match=new.match, delay=new.delay)
    faults.add(rule)
    return Reply(201, {"fault": _view(rule)})


def removed(faults: Faults, number: str) -> Reply:
    """Answer `DELETE /faults/{id}`.  Raises not_found."""
    if not faults.remove(read_id(number) or 0):
        raise not_found("fault", number)
    return Reply(204)


def facts_of_request(state: State, request: web.Request, body: dict[str, Any]) -> list[dict[str, Any]]:
    """What is known of a request: its body, path, query, and the object that its path names."""
    kind = request.path.split("/")[2].removesuffix("s")
    key = request.match_info.get("id") or request.match_info.get("id_or_name") or ""
    return [body, dict(request.match_info), dict(request.query), *facts_of_object(state, kind, key)]


def _view(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "route": rule.route,
        "code": rule.code,
        "share": rule.share,
        "times": rule.times,
        "delay": rule.delay,
        "match": dict(rule.match),
        "hits": rule.hits,
    }
