"""The program is stopped dead at every step it takes with Docker, before and after the step, and run again."""

from __future__ import annotations

from typing import Any

import pytest

from clawdet_infra.agent.names import preflight
from tests.unit.agent import forked
from tests.unit.agent.server import Server


def state(server: Server, project: str) -> dict[str, Any]:
    """What matters of a server: what runs, which data there is, which release is current, what is left over."""
    home = server.root / project
    world = server.world
    return {
        "running": server.running(project),
        "volumes": sorted(world["volumes"]),
        "networks": sorted(world["networks"]),
        "trial": server.ids(preflight(project)),
        "is_good": (home / "current").resolve() == (home / "good").resolve(),
        "left_over": sorted(path.name for name in (".new-*", "state-*") for path in home.rglob(name)),
        "edge": world["serving"],
        "proxies": {one["service"]: one["loaded"] for one in world["containers"].values() if one.get("loaded")},
    }


EVERY = pytest.mark.parametrize(
    "every", [pytest.param(3, id="some"), pytest.param(1, id="all", marks=pytest.mark.slow)]
)
"""At how many of the points a run is killed: at each third, or at each, which takes 20 s of processor time in all."""


def points(steps: int, every: int) -> list[tuple[int, str]]:
    """Points at which to kill a run, before and after its steps."""
    return [(step, when) for step in range(1, steps + 1) for when in ("before", "after")][::every]


def killed_everywhere(server: Server, payload: str, project: str, prepare: list[str], every: int) -> None:
    """Run a payload to its end, then again and again from the same start, killed one step later each time."""
    for one in prepare:
        assert forked.run(server, one).code == 0
    begin = server.snapshot()
    server.forget_calls()
    whole = forked.run(server, payload)
    assert whole.code == 0, whole.errors
    wanted, steps = state(server, project), len(server.calls)
    assert steps > 10
    assert wanted["is_good"]
    for step, when in points(steps, every):
        server.restore(begin)
        killed = forked.run(server, payload, **{when: step})
        assert killed.code == forked.KILLED, f"step {step} of {steps} was not reached: {killed.errors}"
        again = forked.run(server, payload)
        assert again.code == 0, f"killed {when} step {step}, the next run fails: {again.errors}"
        assert state(server, project) == wanted, f"killed {when} step {step}, the next run leaves something else"


@EVERY
def test_a_first_deployment_converges_wherever_it_was_killed(server: Server, every: int) -> None:
    killed_everywhere(server, server.payload(), "pro-1", [], every)


@EVERY
def test_an_upgrade_converges_wherever_it_was_killed(server: Server, every: int) -> None:
    killed_everywhere(server, server.payload(gateway="gateway:2"), "pro-1", [server.payload()], every)


@EVERY
def test_going_back_after_an_upgrade_that_was_killed_anywhere_serves_the_old_release(
    server: Server, every: int
) -> None:
    assert forked.run(server, server.payload()).code == 0
    begin, wanted = server.snapshot(), state(server, "pro-1")
    server.forget_calls()
    assert forked.run(server, server.payload(gateway="gateway:2")).code == 0
    for step in range(1, len(server.calls) + 1, every):
        server.restore(begin)
        assert forked.run(server, server.payload(gateway="gateway:2"), after=step).code == forked.KILLED
        back = forked.run(server, server.payload())
        assert back.code == 0, f"killed after step {step}, going back fails: {back.errors}"
        assert state(server, "pro-1") == wanted, f"killed after step {step}, going back leaves something else"


@EVERY
def test_a_customer_of_a_shared_host_converges_wherever_its_deployment_was_killed(server: Server, every: int) -> None:
    killed_everywhere(server, server.payload("free"), "free-1", [server.edge_payload()], every)


@EVERY
def test_an_edge_proxy_converges_wherever_its_upgrade_was_killed(server: Server, every: int) -> None:
    prepare = [server.edge_payload(), server.payload("free")]
    killed_everywhere(server, server.edge_payload(proxy="proxy:2"), "clawdet-edge", prepare, every)


@EVERY
def test_a_removal_that_was_killed_is_finished_by_the_next(server: Server, every: int) -> None:
    for payload in (server.edge_payload(), server.payload("free")):
        assert forked.run(server, payload).code == 0
    begin = server.snapshot()
    server.forget_calls()
    assert forked.run(server, server.payload("free"), remove=True).code == 0
    steps = len(server.calls)
    assert steps > 5
    for step, when in points(steps, every):
        server.restore(begin)
        assert forked.run(server, server.payload("free"), remove=True, **{when: step}).code == forked.KILLED
        again = forked.run(server, server.payload("free"), remove=True)
        assert again.code == 0, f"killed {when} step {step}, the next removal fails: {again.errors}"
        world = server.world
        assert not server.ids("free-1")
        assert not [name for name in {**world["volumes"], **world["networks"]} if name.startswith("free-1")]
        assert world["serving"] == {}
        assert not (server.root / "free-1").exists()
