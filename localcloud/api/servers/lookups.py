"""Finding servers, and whether they can be operated on now."""

from __future__ import annotations

from localcloud.api.actions.model import Action, Resource
from localcloud.api.call import Call
from localcloud.api.errors import ApiError, locked, not_found
from localcloud.api.servers.model import LOCKING, Server
from localcloud.api.state import State


def by_id(state: State, number: int) -> Server:
    """The server with this id.  Raises not_found."""
    server = state.servers.get(number)
    if server is None:
        raise not_found("server", number)
    return server


def found(call: Call) -> Server:
    """The server in the path.  Raises not_found."""
    return by_id(call.cloud.state, call.id())


def running_actions(state: State, number: int) -> list[Action]:
    """Actions that run on a server now."""
    return state.actions.find("running_on", Resource("server", number))


def is_locked(state: State, number: int) -> bool:
    """Say whether an action that allows no other beside it runs on a server."""
    return any(action.command in LOCKING for action in running_actions(state, number))


def free(call: Call) -> Server:
    """The server in the path, which no other operation may be under way on.  Raises not_found and locked."""
    server = found(call)
    if is_locked(call.cloud.state, server.id):
        raise locked("server")
    return server


def stopped(server: Server) -> Server:
    """The server itself.  Raises server_not_stopped where it is not off."""
    if server.status != "off":
        raise ApiError("server_not_stopped", "server must be powered off to perform this operation")
    return server


def begin(call: Call, command: str, server: Server, data: dict[str, object] | None = None) -> Action:
    """Begin an action on a server."""
    return call.cloud.queue.begin(command, [("server", server.id)], data=data)
