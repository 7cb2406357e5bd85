"""Runs the program in a fork of this process, so that it can be stopped dead at any step and still be fast.

Whoever is stopped so runs no `finally`, closes no file and gives back no lock: as with SIGKILL.
"""

from __future__ import annotations

import contextlib
import json
import os
import traceback
import warnings
from collections.abc import Callable
from typing import Any

from clawdet_infra.agent import (
    commands,
    containers,
    deploy,
    docker,
    edge,
    firewall,
    install,
    preflight,
    proxy,
    server,
    state,
)
from clawdet_infra.agent.package import build
from tests.unit.agent.fake_docker import FakeDocker
from tests.unit.agent.server import Ran, Server

KILLED = 137


def run(
    where: Server,
    payload: str,
    *,
    remove: bool = False,
    before: int | None = None,
    after: int | None = None,
    prepare: Callable[[], object] = lambda: None,
) -> Ran:
    """Deploy, or remove; stop dead before or after the n-th step with Docker.  The fork calls `prepare` first."""
    output, errors = where.bin / "stdout", where.bin / "stderr"
    action = "remove" if remove else "deploy"
    with warnings.catch_warnings():
        # Later Pythons warn of forks beside threads; the threads here answer for the gateways, in the parent only.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        code = 99
        try:
            with (
                output.open("w") as out,
                errors.open("w") as err,
                contextlib.redirect_stdout(out),
                contextlib.redirect_stderr(err),
            ):
                _replace_docker(where, before, after)
                # A kill is not a power cut: what was written is there without it.
                vars(os)["fsync"] = lambda _: None
                prepare()
                code = deploy.main(action, payload, build(), where.system)
        except BaseException:
            errors.write_text(traceback.format_exc())
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return Ran(os.waitstatus_to_exitcode(status), output.read_text(), errors.read_text())


def unpacked(payload: str) -> dict[str, Any]:
    """What a payload says, also what is packed in it."""
    return deploy.unpacked(json.loads(payload), build())


def _replace_docker(where: Server, before: int | None, after: int | None) -> None:
    real, step, stand_in = commands.run, 0, FakeDocker(where.bin)

    def run(command: list[str], *, seconds: float) -> commands.CommandResult:
        nonlocal step
        if command[0] != "docker":
            real_here = command[0] in ("cp", "du", "rm")
            return real(command, seconds=seconds) if real_here else commands.CommandResult(0, "", "")
        step += 1
        if step == before:
            os._exit(KILLED)
        answer = stand_in.answer(command[1:], {})
        if step == after:
            os._exit(KILLED)
        return answer

    for module in (commands, containers, docker, edge, firewall, install, preflight, proxy, server):
        vars(module)["run"] = run
    assert vars(state)["must"] is commands.must
