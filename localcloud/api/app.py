"""The API as an aiohttp application: routing, what every request goes through, start and stop."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import timedelta

from aiohttp import web

from localcloud.api import fault_routes
from localcloud.api.actions import routes as actions
from localcloud.api.actions.queue import ActionQueue
from localcloud.api.actions.runner import Runner
from localcloud.api.addresses import AddressPool
from localcloud.api.call import Call, Reply, Route
from localcloud.api.catalogue import routes as catalogue
from localcloud.api.cloud import Cloud
from localcloud.api.config import ApiConfig
from localcloud.api.errors import ApiError
from localcloud.api.faults import Faults
from localcloud.api.firewalls import routes as firewalls
from localcloud.api.images import routes as images
from localcloud.api.inputs import read_id, read_json
from localcloud.api.placement_groups import routes as placement_groups
from localcloud.api.primary_ips import routes as primary_ips
from localcloud.api.ratelimit import RateLimit
from localcloud.api.servers import reconcile
from localcloud.api.servers import routes as servers
from localcloud.api.servers import work as server_work
from localcloud.api.ssh_keys import routes as ssh_keys
from localcloud.api.state import State
from localcloud.api.volumes import routes as volumes
from localcloud.api.zones import routes as zones
from localcloud.api.zones import rrset_routes
from localcloud.machines.base import Machines

log = logging.getLogger(__name__)
PREFIX = "/v1"
MAX_BODY = 4 * 1024 * 1024
KEEP_ACTIONS = timedelta(days=30)
_NEXT = Callable[[web.Request], Awaitable[web.StreamResponse]]

ROUTES: tuple[Route, ...] = (
    *actions.ROUTES,
    *catalogue.ROUTES,
    *servers.ROUTES,
    *ssh_keys.ROUTES,
    *firewalls.ROUTES,
    *primary_ips.ROUTES,
    *volumes.ROUTES,
    *images.ROUTES,
    *placement_groups.ROUTES,
    *zones.ROUTES,
    *rrset_routes.ROUTES,
)
CLOUD = web.AppKey("cloud", Cloud)
_RUNNER = web.AppKey("runner", Runner)


def create_app(state: State, machines: Machines, config: ApiConfig) -> web.Application:
    """The API of one local cloud, under `/v1`, and beside it `/faults`.

    Its start prepares the machines, takes up actions that were running when the state was last closed, and starts
    servers that should run; its stop cuts running actions off, to be taken up at the next start.  `state` stays the
    caller's to close, after that.
    """
    faults = Faults(config.error_rates, config.seed)
    works = {**server_work.WORKS, **firewalls.WORKS, **volumes.WORKS}
    gate = _Gate(config, faults)
    app = web.Application(middlewares=[gate.middleware], client_max_size=MAX_BODY)

    async def run(app: web.Application) -> AsyncIterator[None]:
        addresses = AddressPool(state, await machines.prepare())
        cloud = Cloud(state, machines, config, addresses, config.randomness(), ActionQueue(state, config))
        runner = Runner(cloud, works, server_work.FAILURES, faults)
        app[CLOUD], app[_RUNNER] = cloud, runner
        _forget_old_actions(cloud)
        runner.resume()
        await reconcile.reconcile(cloud)
        watcher = asyncio.create_task(reconcile.watch(cloud))
        yield
        watcher.cancel()
        with suppress(asyncio.CancelledError):
            await watcher
        await runner.stop()

    app.cleanup_ctx.append(run)
    for route in _fixed_first(ROUTES):
        app.router.add_route(route.method, PREFIX + route.path, gate.handler(route))
    app.router.add_get(fault_routes.PATH, gate.list_faults)
    app.router.add_post(fault_routes.PATH, gate.add_fault)
    app.router.add_delete(fault_routes.PATH + "/{id}", gate.remove_fault)

    async def end_faults(_: web.Application) -> None:
        # Calls that a rule lets wait would hold up the end of the server.
        faults.clear()

    app.on_shutdown.append(end_faults)
    return app


def _forget_old_actions(cloud: Cloud) -> None:
    """Drop actions that ended long ago, so that a cloud that is used for years does not only grow."""
    with cloud.state.change():
        for action in cloud.state.actions:
            if action.finished is not None and cloud.now() - action.finished > KEEP_ACTIONS:
                cloud.state.actions.remove(action.id)


def _fixed_first(routes: Iterable[Route]) -> list[Route]:
    """Routes in an order in which `/servers/actions` is found before `/servers/{id}`."""
    return sorted(routes, key=lambda route: [part.startswith("{") for part in route.path.split("/")])


class _Gate:
    """What every request goes through before its handler, and every answer after it."""

    def __init__(self, config: ApiConfig, faults: Faults) -> None:
        self._config = config
        self._faults = faults
        self._limit = RateLimit(config.rate_limit, config.clock.now())
        self._ids = random.Random()  # noqa: S311

    def handler(self, route: Route) -> _NEXT:
        """A route's handler as aiohttp wants it.

        Handlers do not wait for anything, so each sees and leaves a state that no other request is changing.  A call
        waits before or after that only where a fault asks for it.
        """

        async def handle(request: web.Request) -> web.StreamResponse:
            cloud = request.app[CLOUD]
            body = read_json(await _text(request)) if route.method in ("POST", "PUT") else {}
            facts = fault_routes.facts_of_request(cloud.state, request, body)
            await self._faults.check_request(route.name, facts)
            if request.transport is None or request.transport.is_closing():
                # The request of a client that was killed must not have an effect minutes later.
                raise ApiError("timeout", "the client has closed the connection")
            call = Call(cloud, request.match_info, request.query, body, str(request.url))
            with cloud.state.change():
                reply = route.handler(call)
            request.app[_RUNNER].run_new()
            await self._faults.check_answer(route.name, facts)
            return _response(reply)

        return handle

    async def list_faults(self, request: web.Request) -> web.StreamResponse:
        """`GET /faults`."""
        return _response(fault_routes.listed(self._faults))

    async def add_fault(self, request: web.Request) -> web.StreamResponse:
        """`POST /faults`."""
        return _response(fault_routes.added(self._faults, await _text(request), {route.name for route in ROUTES}))

    async def remove_fault(self, request: web.Request) -> web.StreamResponse:
        """`DELETE /faults/{id}`."""
        return _response(fault_routes.removed(self._faults, request.match_info["id"]))

    @web.middleware
    async def middleware(self, request: web.Request, handler: _NEXT) -> web.StreamResponse:
        """Limit the rate, check the token, and turn every refusal into Hetzner's JSON."""
        response: web.StreamResponse
        try:
            if request.path.startswith(PREFIX + "/"):
                self._limit.take(self._config.clock.now())
            self._check_token(request)
            response = await handler(request)
        except ApiError as error:
            response = _response(Reply(error.status, error.body(), error.headers))
        except web.HTTPMethodNotAllowed as error:
            response = _response(_refused_method(request, error))
        except web.HTTPNotFound:
            response = _response(_refused_path())
        except web.HTTPRequestEntityTooLarge:
            response = _response(Reply(413, ApiError("invalid_input", "the request body is too large").body()))
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            response = _response(Reply(500, ApiError("server_error", "internal error of the local cloud").body()))
        response.headers.update(self._limit.headers())
        response.headers["X-Correlation-Id"] = f"{self._ids.getrandbits(64):016x}"
        return response

    def _check_token(self, request: web.Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        good = hmac.compare_digest(token.strip().encode("utf-8", "replace"), self._config.token.encode())
        if scheme.lower() != "bearer" or not good:
            raise ApiError("unauthorized", "unable to authenticate")


def _refused_method(request: web.Request, error: web.HTTPMethodNotAllowed) -> Reply:
    *_, above, last = request.path.split("/")
    if above == "actions" and read_id(last) is None and error.allowed_methods <= {"GET", "HEAD"}:
        # The name of an unknown action stands where an action can be read by its id: there is no such path.
        return _refused_path()
    refusal = ApiError("method_not_allowed", "The request method is not allowed")
    return Reply(405, refusal.body(), {"Allow": error.headers["Allow"]})


def _refused_path() -> Reply:
    return Reply(404, ApiError("not_found", "requested path not found").body())


async def _text(request: web.Request) -> str:
    try:
        return (await request.read()).decode()
    except UnicodeDecodeError as error:
        raise ApiError("json_error", f"the request body is not UTF-8: {error.reason}") from None


def _response(reply: Reply) -> web.Response:
    if reply.body is None:
        return web.Response(status=reply.status, headers=reply.headers)
    text = json.dumps(reply.body, separators=(",", ":"))
    return web.Response(status=reply.status, text=text, headers=reply.headers, content_type="application/json")
