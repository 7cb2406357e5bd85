"""What the routes of one kind of resource have in common: list, read, change, delete, protect.

A kind says in a subclass of `Resource` what is its own; creating is always its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from pydantic import Field

from localcloud.api.actions.routes import reply, routes_of
from localcloud.api.call import Call, Handler, Reply, Route
from localcloud.api.cloud import Cloud
from localcloud.api.errors import not_found, not_unique
from localcloud.api.inputs import Input, Labels, Name, ProtectionInput
from localcloud.api.listing import filtered, listed
from localcloud.api.state import State
from localcloud.api.table import Record, Table


class UpdateInput(Input):
    """Body of a `PUT`: only what is given is changed."""

    name: Name = ""
    labels: Labels = Field(default_factory=dict)


class Named(Record, Protocol):
    """A record that is a frozen dataclass and has a name, which is unique among its kind."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def name(self) -> str:
        """The record's name."""
        ...


R = TypeVar("R", bound=Named)


class Resource(Generic[R]):
    """One kind of resource that is found by id."""

    kind: ClassVar[str]
    """What it is called in JSON and in actions; with an `s`, in paths and in lists."""
    title: ClassVar[str]
    """What it is called in messages."""
    exact: ClassVar[tuple[str, ...]] = ("name",)
    """The fields that a list can be filtered by."""
    sort: ClassVar[tuple[str, ...]] = ("id", "name", "created")
    """The fields that a list can be sorted by."""
    updates: ClassVar[type[UpdateInput]] = UpdateInput
    protections: ClassVar[type[ProtectionInput] | None] = None
    """The body of `change_protection`; None for a kind that cannot be protected."""
    name_taken: ClassVar[str] = ""
    """The message for a name that another one has; "" for the usual one."""

    def table(self, state: State) -> Table[R]:
        """Where the state keeps all of this kind."""
        raise NotImplementedError

    def view(self, cloud: Cloud, item: R) -> dict[str, Any]:
        """One of it in JSON."""
        raise NotImplementedError

    def filter(self, call: Call) -> Callable[[R], bool]:
        """Read this kind's own filters from a query, and return which resources they let through."""
        del call
        return lambda item: True

    def changed(self, item: R, given: UpdateInput) -> R:
        """Return a resource with its kind's own fields as an update gives them."""
        del given
        return item

    def check_removal(self, cloud: Cloud, item: R) -> None:
        """Raise where a resource cannot be deleted now."""

    def check_protection(self, item: R, *, delete: bool) -> None:
        """Raise where the protection of a resource cannot be set so."""

    def by_id(self, state: State, number: int) -> R:
        """The resource with this id.  Raises not_found."""
        item = self.table(state).get(number)
        if item is None:
            raise not_found(self.title, number)
        return item

    def found(self, call: Call) -> R:
        """The resource in the path.  Raises not_found."""
        return self.by_id(call.cloud.state, call.id())

    def check_name(self, state: State, name: str) -> None:
        """Raise uniqueness_error where another one has this name."""
        if self.table(state).has("name", name):
            raise not_unique(self.name_taken or f"{self.title} name is already used", "name")

    def check_limit(self, cloud: Cloud) -> None:
        """Raise resource_limit_exceeded where the project has as many of these as it may have."""
        cloud.check_limit(self.kind, self.table(cloud.state))

    def routes(self, create: Handler, **actions: Handler) -> list[Route]:
        """All routes of this kind.

        `actions` are its own operations by name; a kind that has any also has routes to follow them.
        """
        path = f"/{self.kind}s"
        if self.protections:
            actions["change_protection"] = self._change_protection
        return [
            *(routes_of(f"{self.kind}s", self.kind, lambda call: self.found(call).id) if actions else ()),
            Route("GET", path, self._list),
            Route("POST", path, create),
            Route("GET", f"{path}/{{id}}", self._get),
            Route("PUT", f"{path}/{{id}}", self._update),
            Route("DELETE", f"{path}/{{id}}", self._delete),
            *(Route("POST", f"{path}/{{id}}/actions/{name}", handler) for name, handler in actions.items()),
        ]

    def remove(self, cloud: Cloud, item: R) -> None:
        """Delete a resource that can be deleted."""
        self.table(cloud.state).remove(item.id)

    def _list(self, call: Call) -> Reply:
        chosen = self.filter(call)
        items = [item for item in filtered(call, self.table(call.cloud.state), *self.exact) if chosen(item)]
        return listed(call, f"{self.kind}s", items, lambda item: self.view(call.cloud, item), sort=self.sort)

    def _get(self, call: Call) -> Reply:
        return self._shown(call, self.found(call))

    def _update(self, call: Call) -> Reply:
        item, given = self.found(call), call.read(self.updates)
        if "name" in given.model_fields_set and given.name != item.name:
            self.check_name(call.cloud.state, given.name)
            item = replace(item, name=given.name)
        if "labels" in given.model_fields_set:
            item = replace(item, labels=given.labels)
        return self._shown(call, self.table(call.cloud.state).put(self.changed(item, given)))

    def _delete(self, call: Call) -> Reply:
        item = self.found(call)
        self.check_removal(call.cloud, item)
        self.remove(call.cloud, item)
        return Reply(204)

    def _change_protection(self, call: Call) -> Reply:
        item, given = self.found(call), call.read(self.protections or ProtectionInput)
        self.check_protection(item, delete=given.delete)
        if "delete" in given.model_fields_set:
            self.table(call.cloud.state).put(replace(item, protect_delete=given.delete))
        return reply(call, call.cloud.queue.begin("change_protection", [(self.kind, item.id)]))

    def _shown(self, call: Call, item: R) -> Reply:
        return Reply(200, {self.kind: self.view(call.cloud, item)})
