"""An update that is killed at any moment, and run again, converges: nothing orphaned, nothing doubled."""

from __future__ import annotations

import json
import random
import secrets
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.cloud import info_of
from tests.support.gateway import curl
from tests.support.stack import Stack, customer, fleet_config, kill_group, wait_until

pytestmark = [pytest.mark.cloud, pytest.mark.engine, pytest.mark.timeout(1200)]


@dataclass(frozen=True)
class Victim:
    """A stack of one customer, whose names nothing else in the project has."""

    stack: Stack
    cloud: dict[str, Any]
    identity: str

    @property
    def domain(self) -> str:
        return f"{self.identity}.test"


@pytest.fixture
def victim(tmp_path: Path, cloud: dict[str, Any]) -> Iterator[Victim]:
    stack = Stack(tmp_path / "project", name="killed").init()
    one = Victim(stack, cloud, f"victim-{secrets.token_hex(4)}")
    customers = [customer(one.identity, "pro")]
    stack.configure(fleet_config(info_of(cloud), customers, domain=one.domain, sharedHosts=[]))
    yield one
    stack.run("clawdet", "recover", "--stack", stack.name)
    result = stack.destroy()
    assert result.code == 0, result.output
    assert things_at_hetzner(one) == Counter(), "destroying the stack leaves nothing behind"


def api(cloud: dict[str, Any], path: str) -> Any:
    config = f'url = "{cloud["endpoint"]}{path}"\nheader = "Authorization: Bearer {cloud["token"]}"\n'
    done = subprocess.run(
        ["curl", "--silent", "--config", "-"], input=config, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def things_at_hetzner(victim: Victim) -> Counter[str]:
    """How often each thing of this fleet is there, by kind and name."""
    cloud, selector = victim.cloud, f"label_selector=clawdet-fleet%3D{victim.domain}"
    things = Counter[str]()
    for kind in ("servers", "ssh_keys", "firewalls", "zones"):
        things.update(f"{kind} {one['name']}" for one in api(cloud, f"/{kind}?{selector}")[kind])
    if api(cloud, f"/zones?name={victim.domain}")["zones"]:
        rrsets = api(cloud, f"/zones/{victim.domain}/rrsets?{selector}")["rrsets"]
        things.update(f"{one['type']} {one['name']}" for one in rrsets)
    return things


def expected(victim: Victim) -> Counter[str]:
    return Counter(
        [
            f"servers {victim.identity}",
            f"ssh_keys clawdet-{victim.domain}",
            f"firewalls clawdet-{victim.domain}",
            f"zones {victim.domain}",
            f"A {victim.identity}",
            f"AAAA {victim.identity}",
        ]
    )


def converge_and_check(victim: Victim) -> None:
    result = victim.stack.clawdet_up()
    assert result.code == 0, result.output
    assert things_at_hetzner(victim) == expected(victim)
    assert not victim.stack.export()["deployment"].get("pending_operations")
    again = victim.stack.preview("--expect-no-changes", "--refresh")
    assert again.code == 0, f"state and cloud differ after recovery:\n{again.output}"
    one = victim.stack.outputs()["customers"][victim.identity]
    assert curl(f"{one['url']}/healthz", one["ipv4"], victim.cloud["ca"]).json()["ok"] is True


def kill_when(stack: Stack, trigger: str) -> None:
    """Kill an update as soon as its output has `trigger`."""
    process = stack.start_up()
    assert process.stdout is not None
    for line in process.stdout:
        if trigger in line:
            break
    kill_group(process)


@pytest.mark.parametrize(
    "trigger",
    [
        "hcloud:index:Server {}-server creating",
        "hcloud:index:ZoneRrset {}-dns-a creating",
        "command:remote:Command {}-deployment creating",
        "command:local:Command {}-health creating",
    ],
)
def test_an_update_killed_while_something_is_made_converges(victim: Victim, trigger: str) -> None:
    kill_when(victim.stack, trigger.format(victim.identity))
    converge_and_check(victim)


def test_a_server_that_was_made_and_not_noted_is_taken_over(victim: Victim) -> None:
    """The worst moment: Hetzner has the server, and the state has only the beginning of its creation."""
    process = victim.stack.start_up()
    [made] = wait_until(
        lambda: api(victim.cloud, f"/servers?name={victim.identity}")["servers"],
        seconds=60,
        what="Hetzner has the server",
    )
    kill_group(process)
    pending = victim.stack.export()["deployment"].get("pending_operations") or []
    converge_and_check(victim)
    [kept] = api(victim.cloud, f"/servers?name={victim.identity}")["servers"]
    assert kept["id"] == made["id"], f"the server was made twice; pending was {[one['type'] for one in pending]}"


def test_updates_killed_at_random_moments_again_and_again_converge(victim: Victim) -> None:
    moments = random.Random(7)  # The same moments at each run; how far an update is by then differs anyway.
    for _ in range(4):
        process = victim.stack.start_up()
        time.sleep(moments.uniform(1.0, 7.0))
        kill_group(process)
        victim.stack.run("clawdet", "recover", "--stack", victim.stack.name).ok()
    converge_and_check(victim)


def test_an_update_that_is_still_running_is_not_taken_for_a_dead_one(victim: Victim) -> None:
    process = victim.stack.start_up()
    assert process.stdout is not None
    for line in process.stdout:
        if "creating" in line:
            break
    refused = victim.stack.run("clawdet", "recover", "--stack", victim.stack.name)
    kill_group(process)
    assert refused.code != 0
    assert str(process.pid) in refused.output, refused.output
    converge_and_check(victim)
