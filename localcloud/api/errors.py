"""What the API answers when it refuses: Hetzner's codes, their HTTP statuses, and the shape of the body.

Handlers raise `ApiError`; nothing else in the API builds an error body.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

STATUS_OF = {
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "json_error": 400,
    "invalid_input": 422,
    "uniqueness_error": 409,
    "conflict": 409,
    "locked": 423,
    "protected": 423,
    "deprecated_api_endpoint": 410,
    "rate_limit_exceeded": 429,
    "resource_limit_exceeded": 403,
    "resource_unavailable": 412,
    "placement_error": 412,
    "maintenance": 503,
    "unavailable": 503,
    "service_error": 500,
    "server_error": 500,
    "bad_gateway": 502,
    "timeout": 504,
}
"""HTTP status of each general code.  Codes that belong to one operation (`server_not_stopped`,
`resource_in_use`, …) are 422, as Hetzner documents them."""


def status_of(code: str) -> int:
    """HTTP status that goes with an error code."""
    return STATUS_OF.get(code, 422)


@dataclass
class ApiError(Exception):
    """A refusal.  `details` is the code's own object, or None where the code has none."""

    code: str
    message: str
    details: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    http_status: int | None = None
    """Set only where an operation answers a code with another status than usual."""

    @property
    def status(self) -> int:
        """HTTP status of the answer."""
        return self.http_status or status_of(self.code)

    def body(self) -> dict[str, Any]:
        """The JSON object that the client gets."""
        error: dict[str, Any] = {"code": self.code, "message": self.message, "details": None}
        if self.details is not None:
            error["details"] = dict(self.details)
        return {"error": error}

    def __str__(self) -> str:
        return f"{self.message} ({self.code})"


def invalid_fields(problems: Mapping[str, Iterable[str]]) -> ApiError:
    """Say that some fields of the input cannot be taken, each with its own reasons."""
    fields = [{"name": name, "messages": list(messages)} for name, messages in problems.items()]
    names = ", ".join(f"'{name}'" for name in problems)
    noun = "field" if len(fields) == 1 else "fields"
    message = f"invalid input in {noun} {names}"
    if len(fields) == 1:
        message += f": {fields[0]['messages'][0]}"
    return ApiError("invalid_input", message, {"fields": fields})


def invalid(field_name: str, message: str) -> ApiError:
    """Say that one field of the input cannot be taken."""
    return invalid_fields({field_name: [message]})


def refused_input(message: str) -> ApiError:
    """Refuse an input that Hetzner refuses without naming a field of it."""
    return ApiError("invalid_input", message, {})


def removed(announcement: str) -> ApiError:
    """Say that Hetzner has removed this from its API; `announcement` is the anchor in its changelog."""
    address = f"https://docs.hetzner.cloud/changelog#{announcement}"
    return ApiError("deprecated_api_endpoint", "API functionality was removed", {"announcement": address})


def not_found(what: str, key: int | str) -> ApiError:
    """Say that no object of this kind has this id or name."""
    which = f"with ID {key}" if isinstance(key, int) or key.isdecimal() else f"'{key}'"
    return ApiError("not_found", f"{what} {which} not found")


def not_unique(message: str, field_name: str) -> ApiError:
    """Say that another object already has this value, which must be unique in the project."""
    return ApiError("uniqueness_error", message, {"fields": [{"name": field_name, "messages": []}]})


def limit_exceeded(what: str) -> ApiError:
    """Say that the project may not have more objects of this kind."""
    return ApiError("resource_limit_exceeded", f"{what} limit exceeded", {"limits": [{"name": f"{what}_limit"}]})


def protected(what: str, against: str) -> ApiError:
    """Say that the object is protected against this operation."""
    return ApiError("protected", f"{what} {against} is protected")


def locked(what: str) -> ApiError:
    """Say that another action is running on the object."""
    return ApiError("locked", f"cannot perform operation because {what} is locked")
