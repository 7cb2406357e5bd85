"""Routes for placement groups."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from pydantic import Field

from localcloud.api.actions.view import moment
from localcloud.api.call import Call, Reply
from localcloud.api.cloud import Cloud
from localcloud.api.errors import ApiError
from localcloud.api.inputs import Input, Labels, Name
from localcloud.api.listing import chosen
from localcloud.api.placement_groups.model import PlacementGroup
from localcloud.api.resource import Resource
from localcloud.api.state import State
from localcloud.api.table import Table

MAX_SERVERS = 10


class CreateInput(Input):
    """Body of `POST /placement_groups`."""

    name: Name
    type: Literal["spread"]
    labels: Labels = Field(default_factory=dict)


class _PlacementGroups(Resource[PlacementGroup]):
    kind = "placement_group"
    title = "placement group"

    def table(self, state: State) -> Table[PlacementGroup]:
        return state.placement_groups

    def view(self, cloud: Cloud, item: PlacementGroup) -> dict[str, Any]:
        return {
            "id": item.id,
            "name": item.name,
            "labels": item.labels,
            "type": "spread",
            "created": moment(item.created),
            "servers": [server.id for server in cloud.state.servers.find("placement_group", item.id)],
        }

    def filter(self, call: Call) -> Callable[[PlacementGroup], bool]:
        chosen(call, "type", ("spread",))
        return super().filter(call)

    def remove(self, cloud: Cloud, item: PlacementGroup) -> None:
        # Hetzner takes the servers out of a group that is deleted.
        for server in cloud.state.servers.find("placement_group", item.id):
            cloud.state.servers.put(replace(server, placement_group=None))
        super().remove(cloud, item)


PLACEMENT_GROUPS = _PlacementGroups()


def with_room(state: State, number: int) -> PlacementGroup:
    """A group that can take one more server.  Raises not_found and placement_group_member_limit_reached."""
    group = PLACEMENT_GROUPS.by_id(state, number)
    if len(state.servers.find("placement_group", number)) >= MAX_SERVERS:
        message = f"placement group with ID {number} contains already {MAX_SERVERS} servers"
        raise ApiError("placement_group_member_limit_reached", message)
    return group


def _create(call: Call) -> Reply:
    given, cloud = call.read(CreateInput), call.cloud
    PLACEMENT_GROUPS.check_name(cloud.state, given.name)
    PLACEMENT_GROUPS.check_limit(cloud)
    group = PlacementGroup(cloud.state.new_id(), given.name, cloud.now(), given.labels)
    shown = PLACEMENT_GROUPS.view(cloud, cloud.state.placement_groups.put(group))
    return Reply(201, {"placement_group": shown, "action": None})


ROUTES = PLACEMENT_GROUPS.routes(_create)
