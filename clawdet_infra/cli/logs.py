"""`clawdet logs`: what the containers of instances print."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from clawdet_infra.agent.readiness import json_object
from clawdet_infra.cli.instances import Ids, Json, Service, check_service, find, run, short_image
from clawdet_infra.cli.output import ErrorCode, Exit, echo, error, fail
from clawdet_infra.cli.stack import Stacks

if TYPE_CHECKING:
    from asyncssh import SSHReader

    from clawdet_infra.hosts import Host, Hosts
    from clawdet_infra.inventory.instance import Instance, Inventory
    from clawdet_infra.redaction import Redactor

_LONGEST_LINE = 64 * 1024


def logs(
    customers: Ids,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    service: Service = None,
    tail: Annotated[int | None, typer.Option("--tail", "-n", min=0, help="The last lines. Default: 100.")] = None,
    since: Annotated[str | None, typer.Option("--since", help="A time, or how long ago: 90s, 10m, 2h.")] = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="What the last update that failed on the server printed.")
    ] = False,
    stacks: Stacks = None,
    json_output: Json = False,
) -> None:
    """Print what a container has printed, by default the gateway; several customers' lines begin with their id.

    A customer's own password and token do not show, should they stand in a log.  --json prints an object a line.

    A container of an update that failed is removed or replaced at once; --failed prints what the server kept of it.

    Example: clawdet logs user123 -f --since 10m
    """
    from clawdet_infra.hosts import commands

    inventory, instances = find(customers, stacks)
    check_service(service, instances)
    show = _Show(service or "gateway", named=len(instances) > 1, as_json=json_output)
    if failed:
        if follow or since:
            fail("--failed prints what was kept: leave out --follow and --since", Exit.CONFIGURATION)
        attempt = _FailedAttempt(service or "gateway", 100 if tail is None else tail, show)
        raise typer.Exit(run(_on_all(inventory, instances, attempt.print)))
    lines = 100 if tail is None and since is None else tail
    try:
        argvs = {
            one.id: commands.logs(one.project, service or "gateway", follow=follow, tail=lines, since=since)
            for one in instances
        }
    except ValueError as error:
        fail(f"--since: {error}", Exit.CONFIGURATION)

    async def print_log(host: Host, instance: Instance) -> int:
        return await _print(host, instance, argvs[instance.id], show)

    raise typer.Exit(run(_on_all(inventory, instances, print_log)))


class _NobodyReadsOn(Exception):  # noqa: N818 -- not an error: `… | head` has seen enough
    """What is printed goes nowhere.  It is no OSError, which would be taken for one of the connection to the server."""


class _Show:
    """Prints lines."""

    def __init__(self, service: str, *, named: bool, as_json: bool) -> None:
        self._service = service
        self._named = named
        self._as_json = as_json

    def __call__(self, instance: str, stream: str, line: str) -> None:
        """Print a line of an instance; whoever reads on sees it at once."""
        try:
            if self._as_json:
                found = {"customer": instance, "service": self._service, "stream": stream, "line": line}
                print(json.dumps(found), flush=True)
            else:
                echo(f"{instance}: {line}" if self._named else line, verbatim=True)
        except BrokenPipeError:
            # Python would try once more at its end, and complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise _NobodyReadsOn from None


class _FailedAttempt:
    """Prints what servers have kept of the last failed attempt to deploy an instance."""

    def __init__(self, service: str, lines: int, show: _Show) -> None:
        self._service = service
        self._lines = lines
        self._show = show

    async def print(self, host: Host, instance: Instance) -> int:
        """Print the attempt of one instance, and return the exit code."""
        from clawdet_infra.hosts import commands

        answer = await host.run(commands.failed_attempt(instance.directory))
        if not answer.ok:
            error(f"{instance.server.name} has kept no failed update of {instance.id}")
            return Exit.ERROR
        about = json_object(answer.output)
        release = f"release {about.get('release')} ({short_image(str(about.get('image')))})"
        why = _redactor(instance)(str(about.get("error")))
        echo(f"{instance.id}: {release} failed at {about.get('at')}: {why}", err=True)
        kept = about.get("services") or []
        if self._service not in kept:
            error(f"no log of the {self._service} was kept; kept are: {', '.join(kept) or 'none'}")
            return Exit.ERROR
        argv = commands.failed_log(instance.directory, self._service, tail=self._lines)
        return await _print(host, instance, argv, self._show)


async def _on_all(
    inventory: Inventory, instances: Sequence[Instance], work: Callable[[Host, Instance], Awaitable[int]]
) -> int:
    from clawdet_infra.hosts import HostError, Hosts

    async def one(hosts: Hosts, instance: Instance) -> int:
        try:
            return await work(await hosts.on(instance.server), instance)
        except HostError as failure:
            error(str(failure), ErrorCode.SERVER)
            return Exit.ERROR

    try:
        async with Hosts(inventory.login_keys) as hosts:
            return max(await asyncio.gather(*(one(hosts, instance) for instance in instances)))
    except _NobodyReadsOn:
        return 128 + signal.SIGPIPE


async def _print(host: Host, instance: Instance, argv: Sequence[str], show: _Show) -> int:
    from clawdet_infra.hosts import exit_code

    redact = _redactor(instance)
    async with host.process(argv) as process:
        process.stdin.write_eof()
        streams = ((process.stdout, "stdout"), (process.stderr, "stderr"))
        await asyncio.gather(*(_lines(stream, name, instance.id, redact, show) for stream, name in streams))
        await process.wait_closed()
    return exit_code(process)


def _redactor(instance: Instance) -> Redactor:
    from clawdet_infra.redaction import Redactor

    return Redactor([instance.password.get_secret_value(), instance.gateway_token.get_secret_value()])


async def _lines(stream: SSHReader[bytes], name: str, instance: str, redact: Redactor, show: _Show) -> None:
    rest = b""
    while chunk := await stream.read(65536):
        *lines, rest = (rest + chunk).split(b"\n")
        # A line without an end would be kept for ever.
        if len(rest) > _LONGEST_LINE:
            lines, rest = [*lines, rest], b""
        for line in lines:
            show(instance, name, redact(line.decode(errors="replace").rstrip("\r")))
    if rest:
        show(instance, name, redact(rest.decode(errors="replace")))
