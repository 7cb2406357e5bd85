"""Routes for servers."""

from __future__ import annotations

from dataclasses import replace

from localcloud.api.actions.routes import routes_of
from localcloud.api.actions.view import action_view
from localcloud.api.call import Call, Reply, Route
from localcloud.api.errors import not_unique, protected
from localcloud.api.firewalls.matching import begin_changes, firewalls_of
from localcloud.api.listing import chosen, filtered, listed
from localcloud.api.servers import power
from localcloud.api.servers.create import create
from localcloud.api.servers.inputs import UpdateInput
from localcloud.api.servers.lookups import begin, found, free
from localcloud.api.servers.views import server_view

_STATUSES = ("running", "initializing", "starting", "stopping", "off", "deleting", "migrating", "rebuilding", "unknown")


def _id(call: Call) -> int:
    return found(call).id


def _list(call: Call) -> Reply:
    state, statuses = call.cloud.state, chosen(call, "status", _STATUSES)
    servers = filtered(call, state.servers, "name")
    servers = [server for server in servers if statuses is None or server.status in statuses]
    return listed(
        call, "servers", servers, lambda server: server_view(call.cloud, server), sort=("id", "name", "created")
    )


def _get(call: Call) -> Reply:
    return Reply(200, {"server": server_view(call.cloud, found(call))})


def _update(call: Call) -> Reply:
    server, given, state = found(call), call.read(UpdateInput), call.cloud.state
    before = [firewall.id for firewall in firewalls_of(state, server)]
    if "name" in given.model_fields_set and given.name != server.name:
        if given.name.lower() != server.name.lower() and state.servers.has("name", given.name.lower()):
            raise not_unique("server name is already used", "name")
        server = replace(server, name=given.name)
    if "labels" in given.model_fields_set:
        server = replace(server, labels=given.labels)
    state.servers.put(server)
    begin_changes(call.cloud, server, before)
    return Reply(200, {"server": server_view(call.cloud, server)})


def _delete(call: Call) -> Reply:
    server = free(call)
    if server.protect_delete:
        raise protected("server", "deletion")
    action = begin(call, "delete_server", server, {"status": server.status})
    call.cloud.state.servers.put(replace(server, status="deleting"))
    return Reply(200, {"action": action_view(action, call.cloud.now())})


ROUTES = [
    *routes_of("servers", "server", _id),
    Route("GET", "/servers", _list),
    Route("POST", "/servers", create),
    Route("GET", "/servers/{id}", _get),
    Route("PUT", "/servers/{id}", _update),
    Route("DELETE", "/servers/{id}", _delete),
    *power.ROUTES,
]
