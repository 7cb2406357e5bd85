"""Checking traffic against an OpenAPI description of the real Hetzner Cloud API.

The description is not part of this project: `HCLOUD_OPENAPI` names its file, and where it is unset the checks that
need it are skipped.  It is of 2026-02; `AMENDMENTS` brings it to what the API has become since.
"""

from __future__ import annotations

import copy
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import jsonschema
import pytest
from aiohttp import web

PREFIX = "/v1"
AMENDMENTS = (
    "The property `datacenter` of servers and primary IPs was removed on 2026-07-01, in requests and in responses.",
    "`GET /actions` takes `page` and `sort`, which Hetzner's own Go client sends with every poll.",
    "The property `assignee_type` of a primary IP without an assignee is `unassigned` since 2026-08-01; it may be left "
    "out of requests.",
    "Where an object can be named by id or name, the id may be a number: so the description says in words, and so "
    "Hetzner's own clients send it.",
)
_ID_OR_NAME = ("image", "server_type", "location")


@dataclass(frozen=True)
class Exchange:
    """A request and its answer; `route` is the path with its parameters' names, without the prefix."""

    method: str
    route: str
    path: str
    query: str
    request: Any
    status: int
    response: Any
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        query = f"?{self.query}" if self.query else ""
        return f"{self.method} {self.path}{query} → {self.status}"


class Recorder:
    """Keeps every exchange of an aiohttp application that it was put in front of."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []

    def attach(self, app: web.Application) -> None:
        """Record what the application, which must not have started yet, is asked and answers."""
        app.middlewares.insert(0, self._middleware)

    @web.middleware
    async def _middleware(self, request: web.Request, handler: Any) -> web.StreamResponse:
        response = await handler(request)
        if not request.path.startswith(PREFIX + "/"):
            # What is not Hetzner's is not in its description.
            return response
        resource = request.match_info.route.resource
        answer = response.text if isinstance(response, web.Response) else None
        self.exchanges.append(
            Exchange(
                method=request.method,
                route=(resource.canonical if resource else request.path).removeprefix(PREFIX),
                path=request.path,
                query=request.query_string,
                request=_json_or_none(await request.read()) if response.status != 413 else None,
                status=response.status,
                response=json.loads(answer) if answer else None,
                headers=dict(response.headers),
            )
        )
        return response


def _json_or_none(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def description_path() -> Path | None:
    """Where the description is, or None where the tests were not told."""
    value = os.environ.get("HCLOUD_OPENAPI")
    return Path(value) if value else None


def description() -> OpenApi:
    """The description; skips the calling test where there is none."""
    path = description_path()
    if path is None:
        pytest.skip("HCLOUD_OPENAPI is not set to an OpenAPI description of the Hetzner Cloud API")
    return checker(path)


@cache
def checker(path: Path) -> OpenApi:
    """The description in this file."""
    return OpenApi(load(path))


def load(path: Path) -> dict[str, Any]:
    """Read a description and amend it."""
    document: dict[str, Any] = json.loads(path.read_text())
    for node in _nodes(document):
        _remove_datacenter(node)
    paths = document["paths"]
    named = {parameter["name"]: parameter for parameter in paths["/servers/actions"]["get"]["parameters"]}
    paths["/actions"]["get"]["parameters"] += [named["page"], named["sort"]]
    for node in _nodes(document["components"]["schemas"]):
        if {"assignee_id", "assignee_type"} <= node.get("properties", {}).keys():
            _allow_no_assignee(node)
    for name in ("/servers", "/servers/{id}/actions/rebuild", "/servers/{id}/actions/change_type", "/primary_ips"):
        _allow_numbers(document, paths[name]["post"]["requestBody"]["content"]["application/json"]["schema"])
    return document


def _remove_datacenter(node: dict[str, Any]) -> None:
    properties = node.get("properties", {})
    if "datacenter" in properties and "location" in properties:
        del properties["datacenter"]
        node["required"] = [name for name in node.get("required", []) if name != "datacenter"]
        if not node["required"]:
            del node["required"]


def _allow_no_assignee(node: dict[str, Any]) -> None:
    if "ip" in node["properties"]:
        node["properties"]["assignee_type"]["enum"].append("unassigned")
    elif "name" in node["properties"]:
        node["required"].remove("assignee_type")


def _allow_numbers(document: dict[str, Any], schema: dict[str, Any]) -> None:
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    text_or_number = {"anyOf": [{"type": "string"}, {"type": "integer", "minimum": 1}]}
    for name in _ID_OR_NAME:
        if name in schema["properties"]:
            schema["properties"][name] = text_or_number
    if "ssh_keys" in schema["properties"]:
        schema["properties"]["ssh_keys"]["items"] = text_or_number


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for child in value.values():
            yield from _nodes(child)
    elif isinstance(value, list):
        for child in value:
            yield from _nodes(child)


_FORMATS = jsonschema.FormatChecker(formats=())


@_FORMATS.checks("date-time", raises=ValueError)
def _is_moment(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@_FORMATS.checks("decimal")
def _is_decimal(value: object) -> bool:
    return not isinstance(value, str) or re.fullmatch(r"-?\d+(\.\d+)?", value) is not None


class OpenApi:
    """A description that exchanges can be checked against."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self._schemas = _as_json_schema(document["components"]["schemas"])
        self._validator = cache(self._make_validator)

    def has(self, method: str, route: str) -> bool:
        """Say whether the real API has this route."""
        return method.lower() in self.document["paths"].get(route, {})

    def problems(self, exchange: Exchange) -> list[str]:
        """Everything in which an exchange's answer differs from what the real API would give."""
        if not self.has(exchange.method, exchange.route):
            # What the real API does not have either, it refuses with the body that all its errors have.
            return _error_problems(exchange)
        responses = self._operation(exchange)["responses"]
        answer = responses.get(str(exchange.status)) or responses.get(f"{exchange.status // 100}xx")
        if answer is None:
            return [f"{exchange}: the real API never answers with this status"]
        content = answer.get("content", {}).get("application/json")
        if content is None:
            return [] if exchange.response is None else [f"{exchange}: the real API answers without a body"]
        problems = self._check(exchange, content["schema"], exchange.response, "answer")
        return problems + (_error_problems(exchange) if exchange.status >= 400 else [])

    def request_problems(self, exchange: Exchange) -> list[str]:
        """Everything in which an exchange's request is not one that the real API takes."""
        if not self.has(exchange.method, exchange.route):
            return [f"{exchange}: the real API has no such route"]
        operation = self._operation(exchange)
        problems = self._query_problems(exchange, operation)
        body = operation.get("requestBody")
        if body is None:
            return problems + ([f"{exchange}: the real API takes no body here"] if exchange.request else [])
        schema = body["content"]["application/json"]["schema"]
        return problems + self._check(exchange, schema, exchange.request, "request")

    def _operation(self, exchange: Exchange) -> dict[str, Any]:
        operation: dict[str, Any] = self.document["paths"][exchange.route][exchange.method.lower()]
        return operation

    def _query_problems(self, exchange: Exchange, operation: Mapping[str, Any]) -> list[str]:
        known = {p["name"]: p["schema"] for p in operation.get("parameters", []) if p["in"] == "query"}
        problems = []
        for name, text in parse_qsl(exchange.query, keep_blank_values=True):
            schema = known.get(name)
            if schema is None:
                problems.append(f"{exchange}: the real API has no query parameter '{name}'")
                continue
            item = schema.get("items", schema)
            problems += self._check(exchange, item, _typed(item, text), f"query parameter '{name}'")
        return problems

    def _check(self, exchange: Exchange, schema: Any, value: Any, what: str) -> list[str]:
        validator = self._validator(json.dumps(schema, sort_keys=True))
        return [
            f"{exchange}: {what} at {error.json_path}: {error.message[:300]}" for error in validator.iter_errors(value)
        ]

    def _make_validator(self, schema: str) -> jsonschema.Draft202012Validator:
        whole = {**_as_json_schema(json.loads(schema)), "components": {"schemas": self._schemas}}
        return jsonschema.Draft202012Validator(whole, format_checker=_FORMATS)


def _typed(schema: Mapping[str, Any], text: str) -> Any:
    """What a query parameter's text means where its schema wants something else than text."""
    if schema.get("type") == "integer" and text.isdigit():
        return int(text)
    return {"true": True, "false": False}.get(text, text) if schema.get("type") == "boolean" else text


def _error_problems(exchange: Exchange) -> list[str]:
    error = exchange.response.get("error") if isinstance(exchange.response, dict) else None
    if exchange.status < 400:
        return [f"{exchange}: the real API has no such route"]
    if not isinstance(error, dict) or not error.get("code") or not error.get("message"):
        return [f"{exchange}: the body is no error as the real API has them"]
    return []


def _as_json_schema(value: Any) -> Any:
    """OpenAPI 3.0's schemas as JSON Schema has them: `nullable` becomes a choice."""
    if isinstance(value, list):
        return [_as_json_schema(item) for item in value]
    if not isinstance(value, dict):
        return copy.copy(value)
    plain = {key: _as_json_schema(child) for key, child in value.items() if key != "nullable"}
    if value.get("nullable") is True:
        return {"anyOf": [plain, {"type": "null"}]}
    return plain
