"""The process that runs one cloud: the API, the name server, the image registry and the ACME server.

It is started by `python -m localcloud up` and ends at SIGTERM.  Ending it leaves the servers as they are: `down` shuts
them down, and a daemon that was killed finds them running when it comes back.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import socket
import sys
from contextlib import AsyncExitStack
from ipaddress import IPv4Address
from pathlib import Path

from aiohttp import web

from localcloud.api import ApiConfig, State, create_app
from localcloud.api.store import StoreError
from localcloud.errors import EXPECTED_ERRORS
from localcloud.info import Acme, Info
from localcloud.infrastructure import Backbone
from localcloud.machines.base import Machines
from localcloud.machines.none import NoMachines
from localcloud.paths import Paths
from localcloud.process import AlreadyRunningError, holding_pid_file
from localcloud.progress import ProgressWriter
from localcloud.running import Running
from localcloud.services.ca import CertificateAuthority
from localcloud.services.errors import ServiceError
from localcloud.services.names import NameServer
from localcloud.services.sockets import bound_socket
from localcloud.settings import Settings

WHILE_VARIABLE = "CLAWDET_CLOUD_WHILE"
"""Names the process id of a program; the daemon ends with it.  Tests set it, so that one that is killed leaves none."""
_LOOPBACK = IPv4Address("127.0.0.1")
_log = logging.getLogger(__name__)


async def serve(paths: Paths, settings: Settings, progress: ProgressWriter) -> None:
    """Start everything, say so, and run until the process is asked to end."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for kind in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(kind, stop.set)
    if process := os.environ.get(WHILE_VARIABLE):
        _end_with(int(process), loop, stop)
    start = asyncio.create_task(_start(paths, settings, progress))
    ended = asyncio.create_task(stop.wait())
    await asyncio.wait({start, ended}, return_when=asyncio.FIRST_COMPLETED)
    if not start.done():
        start.cancel()
        await asyncio.gather(start, return_exceptions=True)
        raise ServiceError("it was stopped while it was starting")
    async with await start:
        _log.info("ready")
        await ended
        _log.info("stopping")
        paths.running.unlink(missing_ok=True)


def _end_with(process: int, loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Ask for the end when a process ends, however it does."""
    try:
        descriptor = os.pidfd_open(process)
    except ProcessLookupError:
        stop.set()
    else:
        loop.add_reader(descriptor, stop.set)


async def _start(paths: Paths, settings: Settings, progress: ProgressWriter) -> AsyncExitStack:
    """Start everything in the order of need; what the returned stack holds is stopped in the opposite one."""
    async with AsyncExitStack() as stack:
        # What other programs of this machine may have taken is asked for first, before anything slow.
        api_socket = _api_socket(settings.port)
        stack.callback(api_socket.close)
        state = State.open(paths.database)
        stack.callback(state.close)
        names = NameServer(state)
        stack.push_async_callback(names.stop)
        await names.start([(_LOOPBACK, settings.dns_port)])
        authority = CertificateAuthority(paths.authority, paths.trusted, f"cloud {paths.slug}")
        authority.ensure()
        machines: Machines
        info = Info.basic(paths, settings, authority)
        running = Running.wanted(settings)
        if settings.api_only:
            machines = NoMachines()
        else:
            backbone = Backbone(paths, settings, authority, progress)
            machines = await backbone.start(stack)
            await names.start([(backbone.gateway, 53)])
            running = running.with_images()
            info = info.with_machines(
                registry=backbone.registry_address,
                registry_push=backbone.push_address,
                registry_ca=str(authority.root),
                acme=Acme(directory=backbone.acme_directory, root=str(authority.root)),
                docker_host=backbone.docker_host,
            )
        progress("starting the API")
        await _start_api(stack, state, machines, settings, api_socket)
        info.save(paths.info)
        running.save(paths.running)
        progress.ready()
        return stack.pop_all()


def _api_socket(port: int) -> socket.socket:
    try:
        return bound_socket(socket.SOCK_STREAM, _LOOPBACK, port)
    except OSError as error:
        raise ServiceError(
            f"the API cannot listen on 127.0.0.1 port {port}: {error.strerror}; choose another with --port, "
            f"or see who has it with: ss -lntp 'sport = :{port}'"
        ) from error


async def _start_api(
    stack: AsyncExitStack, state: State, machines: Machines, settings: Settings, listening: socket.socket
) -> None:
    behaviour = settings.behaviour
    config = ApiConfig(
        token=settings.token,
        boot_delay=behaviour.boot_delay,
        error_rates=behaviour.error_rates,
        seed=behaviour.seed,
        rate_limit=behaviour.rate_limit,
        sold_out=frozenset((kind, place or "*") for kind, _, place in (s.partition("@") for s in behaviour.sold_out)),
    )
    runner = web.AppRunner(create_app(state, machines, config), access_log=None)
    # Registered first: a setup that fails half-way has started things too.
    stack.push_async_callback(runner.cleanup)
    await runner.setup()
    await web.SockSite(runner, listening).start()


def main(arguments: list[str] | None = None) -> int:
    """Run the daemon of the cloud whose settings are in its home; the exit status is 1 where it could not start."""
    parser = argparse.ArgumentParser(prog="localcloud.daemon", description="Runs one cloud; `up` starts it.")
    parser.add_argument("--name", required=True)
    parser.add_argument("--home", required=True, type=Path)
    options = parser.parse_args(arguments)
    paths = Paths.of(options.name, options.home)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s", stream=sys.stderr)
    progress = ProgressWriter(paths.progress)
    try:
        with holding_pid_file(paths.pid):
            settings = Settings.load(paths.settings)
            if settings is None:
                raise ServiceError(f"{paths.settings} is missing; start the cloud with: python -m localcloud up")
            asyncio.run(serve(paths, settings, progress))
    except AlreadyRunningError:
        progress.failed("another daemon of this cloud is running")
        return 1
    except (*EXPECTED_ERRORS, StoreError) as error:
        _log.error("%s", error)
        progress.failed(str(error))
        return 1
    except Exception as error:
        _log.exception("the daemon failed")
        progress.failed(f"unexpected {type(error).__name__}: {error} (see {paths.log})")
        return 1
    finally:
        paths.running.unlink(missing_ok=True)
        progress.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
