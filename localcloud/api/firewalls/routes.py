"""Routes for firewalls, and what their actions do to machines."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

from localcloud.api.actions.model import Action
from localcloud.api.actions.model import Resource as ActionResource
from localcloud.api.actions.runner import Work
from localcloud.api.actions.view import action_view, moment
from localcloud.api.call import Call, Reply
from localcloud.api.cloud import Cloud
from localcloud.api.errors import ApiError
from localcloud.api.firewalls.inputs import (
    ApplyInput,
    CreateInput,
    RemoveInput,
    ResourceInput,
    SetRulesInput,
    UpdateInput,
)
from localcloud.api.firewalls.matching import firewalls_of, inbound_rules, selected, servers_of
from localcloud.api.firewalls.model import Firewall
from localcloud.api.resource import Resource
from localcloud.api.servers.model import Server
from localcloud.api.state import State
from localcloud.api.table import Table

MAX_FIREWALLS_OF_A_SERVER = 5


class _Firewalls(Resource[Firewall]):
    kind = "firewall"
    title = "firewall"
    updates = UpdateInput

    def table(self, state: State) -> Table[Firewall]:
        return state.firewalls

    def view(self, cloud: Cloud, item: Firewall) -> dict[str, Any]:
        applied: list[dict[str, Any]] = [{"type": "server", "server": {"id": number}} for number in item.servers]
        for selector in item.selectors:
            only = replace(item, selectors=(selector,))
            # Those that match now.
            matched = [{"type": "server", "server": {"id": s.id}} for s in cloud.state.servers if selected(only, s)]
            applied.append(
                {
                    "type": "label_selector",
                    "label_selector": {"selector": selector},
                    "applied_to_resources": matched,
                }
            )
        return {
            "id": item.id,
            "name": item.name,
            "labels": item.labels,
            "created": moment(item.created),
            # Incoming ones first, as Hetzner lists them, whatever the order that they were given in.
            "rules": [asdict(rule) for rule in sorted(item.rules, key=lambda rule: rule.direction)],
            "applied_to": applied,
        }

    def check_removal(self, cloud: Cloud, item: Firewall) -> None:
        running = cloud.state.actions.find("running_on", ActionResource("firewall", item.id))
        # A server that the firewall is being taken off still uses it.
        if item.servers or item.selectors or any(action.command == "remove_firewall" for action in running):
            raise ApiError("resource_in_use", f"firewall with ID {item.id} is still in use")


FIREWALLS = _Firewalls()


def _create(call: Call) -> Reply:
    given, state = call.read(CreateInput), call.cloud.state
    FIREWALLS.check_name(state, given.name)
    FIREWALLS.check_limit(call.cloud)
    firewall = state.firewalls.put(
        Firewall(
            id=state.new_id(),
            name=given.name,
            created=call.cloud.now(),
            rules=tuple(rule.rule() for rule in given.rules),
            labels=given.labels,
        )
    )
    firewall, actions = _apply(call, firewall, given.apply_to, doubled="server_already_added", missing=422)
    return Reply(201, {"firewall": FIREWALLS.view(call.cloud, firewall), "actions": _views(call, actions)})


def _set_rules(call: Call) -> Reply:
    firewall, given, state = FIREWALLS.found(call), call.read(SetRulesInput), call.cloud.state
    firewall = state.firewalls.put(replace(firewall, rules=tuple(rule.rule() for rule in given.rules)))
    actions = [call.cloud.queue.begin("set_firewall_rules", [("firewall", firewall.id)])]
    actions += _begin(call, "apply_firewall", firewall, servers_of(state, firewall))
    return Reply(201, {"actions": _views(call, actions)})


def _apply_to(call: Call) -> Reply:
    firewall = FIREWALLS.found(call)
    given = call.read(ApplyInput).apply_to
    _, actions = _apply(call, firewall, given, doubled="firewall_already_applied", missing=404)
    return Reply(201, {"actions": _views(call, actions)})


def _apply(
    call: Call, firewall: Firewall, resources: Iterable[ResourceInput], *, doubled: str, missing: int
) -> tuple[Firewall, list[Action]]:
    """Apply a firewall to more resources; `doubled` and `missing` are how this operation refuses bad ones."""
    state = call.cloud.state
    before = {server.id for server in servers_of(state, firewall)}
    for resource in resources:
        if resource.server is not None and resource.type == "server":
            server = _server(state, resource.server.id, missing)
            if server.id in firewall.servers:
                raise ApiError(doubled, f"firewall is already applied to server with ID {server.id}")
            if not state.primary_ips.has("assignee", server.id):
                raise ApiError("private_net_only_server", f"server with ID {server.id} has no public interface")
            if len(firewalls_of(state, server)) >= MAX_FIREWALLS_OF_A_SERVER:
                message = f"server with ID {server.id} has {MAX_FIREWALLS_OF_A_SERVER} firewalls already"
                raise ApiError("resource_limit_exceeded", message)
            firewall = replace(firewall, servers=(*firewall.servers, server.id))
        elif resource.label_selector is not None:
            selector = resource.label_selector.selector
            if selector in firewall.selectors:
                raise ApiError(doubled, f"firewall is already applied to label selector '{selector}'")
            firewall = replace(firewall, selectors=(*firewall.selectors, selector))
    state.firewalls.put(firewall)
    new = [server for server in servers_of(state, firewall) if server.id not in before]
    return firewall, _begin(call, "apply_firewall", firewall, new)


def _remove_from(call: Call) -> Reply:
    firewall, given, state = FIREWALLS.found(call), call.read(RemoveInput), call.cloud.state
    before = servers_of(state, firewall)
    for resource in given.remove_from:
        if resource.server is not None and resource.type == "server":
            number = resource.server.id
            server = _server(state, number, 404)
            if number in firewall.servers:
                firewall = replace(firewall, servers=tuple(n for n in firewall.servers if n != number))
            elif selected(firewall, server):
                message = f"firewall is applied to server with ID {number} by a label selector"
                raise ApiError("firewall_managed_by_label_selector", message)
            else:
                raise _not_applied(f"server with ID {number}")
        elif resource.label_selector is not None:
            selector = resource.label_selector.selector
            if selector not in firewall.selectors:
                raise _not_applied(f"label selector '{selector}'")
            firewall = replace(firewall, selectors=tuple(s for s in firewall.selectors if s != selector))
    state.firewalls.put(firewall)
    kept = {server.id for server in servers_of(state, firewall)}
    gone = [server for server in before if server.id not in kept]
    return Reply(201, {"actions": _views(call, _begin(call, "remove_firewall", firewall, gone))})


def _not_applied(what: str) -> ApiError:
    return ApiError("firewall_resource_not_found", f"firewall is not applied to {what}", http_status=404)


def _server(state: State, number: int, missing: int) -> Server:
    server = state.servers.get(number)
    if server is None:
        message = f"server with ID {number} not found"
        raise ApiError("firewall_resource_not_found", message, http_status=missing)
    return server


def _begin(call: Call, command: str, firewall: Firewall, servers: Iterable[Server]) -> list[Action]:
    """Begin an action for each server."""
    return [call.cloud.queue.begin(command, [("server", s.id), ("firewall", firewall.id)]) for s in servers]


def _views(call: Call, actions: Iterable[Action]) -> list[dict[str, Any]]:
    return [action_view(action, call.cloud.now()) for action in actions]


async def _bring_rules_to_machine(cloud: Cloud, action: Action) -> None:
    """Give the machine the rules that hold now, whichever firewall the action was for.

    So it does not matter in which order the actions of several firewalls come, or whether one is done twice.
    """
    number = action.on("server")
    server = None if number is None else cloud.state.servers.get(number)
    if server is not None and server.made:
        await cloud.machines.set_firewall(server.id, inbound_rules(cloud.state, server))


WORKS: dict[str, Work] = {
    "apply_firewall": _bring_rules_to_machine,
    "remove_firewall": _bring_rules_to_machine,
}

ROUTES = FIREWALLS.routes(
    _create, set_rules=_set_rules, apply_to_resources=_apply_to, remove_from_resources=_remove_from
)
