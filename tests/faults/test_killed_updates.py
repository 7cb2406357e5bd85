"""An update that is killed at any moment, and run again, converges: nothing orphaned, nothing doubled.

Where and when an update is killed hangs on no clock: a call to the cloud, or a command, is held until the kill.
"""

from __future__ import annotations

import random

import pytest

from tests.faults.conftest import Victim
from tests.support.cloud import fault
from tests.support.stack import kill_group

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("faults"), pytest.mark.timeout(1200)]

HELD = 600
"""Seconds that a call is held at most; it ends with the kill."""


def kill_at_line(victim: Victim, trigger: str, lines: int = 1) -> bool:
    """Kill an update as soon as its output has the trigger so many times; says whether it came to that."""
    process = victim.start_up()
    assert process.stdout is not None
    for line in process.stdout:
        lines -= trigger in line
        if not lines:
            kill_group(process)
            return True
    process.communicate()
    return False


def kill_while_command_is_made(victim: Victim, kind: str, name: str) -> None:
    with victim.commands(held=name):
        assert kill_at_line(victim, f"command:{kind}:Command {name} creating")


def converge_and_check(victim: Victim, *, by_hand: bool = True) -> None:
    with victim.commands():
        result = victim.converge(by_hand=by_hand)
        assert result.code == 0, result.output
        victim.check()


SERVER = ("POST /servers", "hcloud:index/server:Server")
RECORD = ("POST /zones/{id_or_name}/rrsets", "hcloud:index/zoneRrset:ZoneRrset")


@pytest.mark.parametrize(
    ("route", "resource", "made"),
    [
        pytest.param(*SERVER, True, id="server made and not noted"),
        # Like the first one, which is the worst.
        pytest.param(*SERVER, False, id="server asked for", marks=pytest.mark.slow),
        pytest.param(*RECORD, False, id="record asked for", marks=pytest.mark.slow),
        pytest.param(*RECORD, True, id="record made and not noted", marks=pytest.mark.slow),
    ],
)
def test_an_update_killed_while_something_is_made_converges(
    victim: Victim, route: str, resource: str, made: bool
) -> None:
    """That Hetzner has made it, and the state has only the beginning of its creation, is the worst moment."""
    named = {"name": victim.identity}
    code = "lost" if made else None
    with victim.commands(), fault(victim.cloud, route, code=code, match=named, delay=HELD) as held:
        process = victim.start_up()
        held.wait()
        kill_group(process)
    pending, before = victim.pending(), servers(victim)
    assert resource in pending, "the update was killed in the middle of it"
    converge_and_check(victim, by_hand=not made)
    if before:
        assert servers(victim) == before, f"the server was made twice; pending was {pending}"


def servers(victim: Victim) -> list[int]:
    """The ids of the customer's servers."""
    return [one.id for one in victim.client.servers.get_all(name=victim.identity)]


def test_an_update_killed_while_a_health_check_runs_converges(victim: Victim) -> None:
    kill_while_command_is_made(victim, "local", f"{victim.identity}-health")
    converge_and_check(victim)


@pytest.mark.cloud
def test_an_update_killed_while_a_deployment_is_made_on_a_server_converges(real_victim: Victim) -> None:
    kill_while_command_is_made(real_victim, "remote", f"{real_victim.identity}-deployment")
    converge_and_check(real_victim)


def test_updates_killed_at_random_moments_again_and_again_converge(victim: Victim) -> None:
    moments = random.Random(7)  # The same moments at each run; what else is under way by then differs anyway.
    with victim.commands():
        killed = []
        for _ in range(2):
            killed.append(kill_at_line(victim, " creating", lines=moments.randrange(1, 5)))
            victim.recover().ok()
        assert any(killed)
    converge_and_check(victim)


def test_an_update_that_is_still_running_is_not_taken_for_a_dead_one_and_can_be_waited_for(victim: Victim) -> None:
    named = {"name": victim.identity}
    with victim.commands():
        with fault(victim.cloud, "POST /servers", match=named, delay=HELD) as held:
            process = victim.start_up()
            held.wait()
            refused = victim.recover()
            waiting = victim.stack.start(
                "clawdet", "up", "--stack", victim.stack.name, "--no-policy", "--wait", "--yes"
            )
            assert waiting.stdout is not None
            said = waiting.stdout.readline()
            assert process.poll() is None
        output, _ = process.communicate(timeout=600)
        assert refused.code != 0
        assert str(process.pid) in refused.output, refused.output
        assert process.returncode == 0, f"the update was disturbed:\n{output}"
        assert f"for process {process.pid} on" in said
        output, _ = waiting.communicate(timeout=600)
        assert waiting.returncode == 0, output
        victim.check()
