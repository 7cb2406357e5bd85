"""Routes for actions: of the project, of a kind of resource, and of one resource."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from localcloud.api.actions.model import Action, Resource
from localcloud.api.actions.view import action_view
from localcloud.api.call import Call, Handler, Reply, Route
from localcloud.api.errors import invalid, not_found, removed
from localcloud.api.inputs import read_id
from localcloud.api.listing import chosen, listed

_SORT = ("id", "command", "status", "started", "finished")


def _page(call: Call, actions: Iterable[Action]) -> Reply:
    wanted = chosen(call, "status", ("running", "success", "error"))
    numbers = _ids(call)
    found = [
        action
        for action in actions
        if (wanted is None or action.status in wanted) and (numbers is None or action.id in numbers)
    ]
    now = call.cloud.now()
    return listed(call, "actions", found, lambda action: action_view(action, now), sort=_SORT)


def _ids(call: Call) -> set[int] | None:
    texts = call.query.getall("id", None)
    if texts is None:
        return None
    numbers = {read_id(text) for text in texts}
    if None in numbers:
        raise invalid("id", "Not a valid integer.")
    return {number for number in numbers if number is not None}


def _list(call: Call) -> Reply:
    numbers = _ids(call)
    if numbers is None:
        # Hetzner removed the list of all actions on 2025-01-30.
        raise removed("2025-01-30-listing-arbitrary-actions-in-the-actions-list-endpoint-is-removed")
    actions = call.cloud.state.actions
    return _page(call, [actions[number] for number in sorted(numbers) if number in actions])


def _get(call: Call) -> Reply:
    return _shown(call, call.cloud.state.actions.get(call.id()), call.id())


def _shown(call: Call, action: Action | None, number: int) -> Reply:
    if action is None:
        raise not_found("action", number)
    return Reply(200, {"action": action_view(action, call.cloud.now())})


def reply(call: Call, action: Action, status: int = 201) -> Reply:
    """The usual answer of an operation: its action."""
    return Reply(status, {"action": action_view(action, call.cloud.now())})


def routes_of(plural: str, kind: str, find: Callable[[Call], int], parameter: str = "id") -> list[Route]:
    """Routes for the actions of one kind of resource.

    `find` gives the id of the resource in the path, and raises not_found where there is none; `parameter` is what
    the path calls it.
    """
    one = f"/{plural}/{{{parameter}}}/actions"

    def list_kind(call: Call) -> Reply:
        return _page(call, call.cloud.state.actions.find("resource", kind))

    def get_of_kind(call: Call) -> Reply:
        action = call.cloud.state.actions.get(call.id())
        return _shown(call, action if action and action.on(kind) is not None else None, call.id())

    def list_one(call: Call) -> Reply:
        return _page(call, call.cloud.state.actions.find("resource", Resource(kind, find(call))))

    def get_of_one(call: Call) -> Reply:
        resource = Resource(kind, find(call))
        number = call.id("action_id")
        action = call.cloud.state.actions.get(number)
        return _shown(call, action if action and resource in action.resources else None, number)

    handlers: list[tuple[str, Handler]] = [
        (f"/{plural}/actions", list_kind),
        (f"/{plural}/actions/{{id}}", get_of_kind),
        (one, list_one),
        (f"{one}/{{action_id}}", get_of_one),
    ]
    return [Route("GET", path, handler) for path, handler in handlers]


ROUTES = [Route("GET", "/actions", _list), Route("GET", "/actions/{id}", _get)]
