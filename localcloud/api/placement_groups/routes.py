"""Routes for placement groups."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import Field

from localcloud.api.actions.view import moment
from localcloud.api.call import Call, Reply, Route
from localcloud.api.errors import ApiError, not_found, not_unique
from localcloud.api.inputs import Input, Labels
from localcloud.api.listing import chosen, filtered, listed
from localcloud.api.placement_groups.model import PlacementGroup
from localcloud.api.state import State

Name = Annotated[str, Field(min_length=1, max_length=255)]
MAX_SERVERS = 10


class CreateInput(Input):
    """Body of `POST /placement_groups`."""

    name: Name
    type: Literal["spread"]
    labels: Labels = Field(default_factory=dict)


class UpdateInput(Input):
    """Body of `PUT /placement_groups/{id}`."""

    name: Name = ""
    labels: Labels = Field(default_factory=dict)


def view(state: State, group: PlacementGroup) -> dict[str, Any]:
    """A placement group in JSON."""
    return {
        "id": group.id,
        "name": group.name,
        "labels": group.labels,
        "type": "spread",
        "created": moment(group.created),
        "servers": [server.id for server in state.servers.find("placement_group", group.id)],
    }


def with_room(state: State, number: int) -> PlacementGroup:
    """A group that can take one more server.  Raises not_found and placement_group_member_limit_reached."""
    group = state.placement_groups.get(number)
    if group is None:
        raise not_found("placement group", number)
    if len(state.servers.find("placement_group", number)) >= MAX_SERVERS:
        message = f"placement group with ID {number} contains already {MAX_SERVERS} servers"
        raise ApiError("placement_group_member_limit_reached", message)
    return group


def _found(call: Call) -> PlacementGroup:
    group = call.cloud.state.placement_groups.get(call.id())
    if group is None:
        raise not_found("placement group", call.id())
    return group


def _list(call: Call) -> Reply:
    state = call.cloud.state
    chosen(call, "type", ("spread",))
    found = filtered(call, state.placement_groups, "name")
    return listed(call, "placement_groups", found, lambda group: view(state, group), sort=("id", "name", "created"))


def _create(call: Call) -> Reply:
    given, state = call.read(CreateInput), call.cloud.state
    if state.placement_groups.has("name", given.name):
        raise not_unique("placement group name is already used", "name")
    call.cloud.check_limit("placement_group", state.placement_groups)
    group = PlacementGroup(state.new_id(), given.name, call.cloud.now(), given.labels)
    return Reply(201, {"placement_group": view(state, state.placement_groups.put(group)), "action": None})


def _get(call: Call) -> Reply:
    return Reply(200, {"placement_group": view(call.cloud.state, _found(call))})


def _update(call: Call) -> Reply:
    group, given, state = _found(call), call.read(UpdateInput), call.cloud.state
    if "name" in given.model_fields_set and given.name != group.name:
        if state.placement_groups.has("name", given.name):
            raise not_unique("placement group name is already used", "name")
        group = replace(group, name=given.name)
    if "labels" in given.model_fields_set:
        group = replace(group, labels=given.labels)
    return Reply(200, {"placement_group": view(state, state.placement_groups.put(group))})


def _delete(call: Call) -> Reply:
    group, state = _found(call), call.cloud.state
    # Hetzner takes the servers out of a group that is deleted.
    for server in state.servers.find("placement_group", group.id):
        state.servers.put(replace(server, placement_group=None))
    state.placement_groups.remove(group.id)
    return Reply(204)


ROUTES = [
    Route("GET", "/placement_groups", _list),
    Route("POST", "/placement_groups", _create),
    Route("GET", "/placement_groups/{id}", _get),
    Route("PUT", "/placement_groups/{id}", _update),
    Route("DELETE", "/placement_groups/{id}", _delete),
]
