"""One request on its way to the function that answers it, and the answer on its way back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from multidict import MultiMapping

from localcloud.api.cloud import Cloud
from localcloud.api.errors import invalid
from localcloud.api.inputs import M, parse, read_id


@dataclass(frozen=True)
class Reply:
    """An answer; a `body` of None is none at all."""

    status: int
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Call:
    """A request: where it goes is `params`, what it selects is `query`, what it says is `body`."""

    cloud: Cloud
    params: Mapping[str, str]
    query: MultiMapping[str]
    body: Mapping[str, Any]
    url: str

    def id(self, name: str = "id") -> int:
        """An id in the path.  Raises invalid_input where it is no id at all."""
        number = read_id(self.params[name])
        if number is None:
            raise invalid(name, "Not a valid integer.")
        return number

    def read(self, model: type[M]) -> M:
        """The body, checked.  Raises invalid_input."""
        return parse(model, self.body)


Handler = Callable[[Call], Reply]


@dataclass(frozen=True)
class Route:
    """Which function answers which method and path (in aiohttp's syntax, without the `/v1`)."""

    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    handler: Handler

    @property
    def name(self) -> str:
        """How the route is named where errors are injected: `POST /servers`."""
        return f"{self.method} {self.path}"
