"""An update that is killed at any moment, and run again, converges: nothing orphaned, nothing doubled."""

from __future__ import annotations

import json
import random
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.gateway import curl
from tests.support.stack import Stack, customer, fleet_config, kill_group

pytestmark = [pytest.mark.cloud, pytest.mark.engine, pytest.mark.timeout(1200)]

DOMAIN = "killed.test"
CUSTOMERS = [customer("victim", "pro")]


@pytest.fixture
def stack(cloud_info: Path, tmp_path: Path, cloud: dict[str, Any]) -> Iterator[Stack]:
    one = Stack(tmp_path / "project", name="killed").init()
    one.configure(fleet_config(cloud_info, CUSTOMERS, domain=DOMAIN, sharedHosts=[]))
    yield one
    one.run("clawdet", "recover", "--stack", one.name)
    result = one.destroy()
    assert result.code == 0, result.output
    assert things_at_hetzner(cloud) == Counter(), "destroying the stack leaves nothing behind"


def api(cloud: dict[str, Any], path: str) -> Any:
    config = f'url = "{cloud["endpoint"]}{path}"\nheader = "Authorization: Bearer {cloud["token"]}"\n'
    done = subprocess.run(
        ["curl", "--silent", "--config", "-"], input=config, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def things_at_hetzner(cloud: dict[str, Any]) -> Counter[str]:
    """How often each thing of this fleet is there, by kind and name."""
    selector = f"label_selector=clawdet-fleet%3D{DOMAIN}"
    things = Counter[str]()
    for kind in ("servers", "ssh_keys", "firewalls", "zones"):
        things.update(f"{kind} {one['name']}" for one in api(cloud, f"/{kind}?{selector}")[kind])
    if api(cloud, f"/zones?name={DOMAIN}")["zones"]:
        rrsets = api(cloud, f"/zones/{DOMAIN}/rrsets?{selector}")["rrsets"]
        things.update(f"{one['type']} {one['name']}" for one in rrsets)
    return things


def expected() -> Counter[str]:
    return Counter(
        [
            "servers victim",
            f"ssh_keys clawdet-{DOMAIN}",
            f"firewalls clawdet-{DOMAIN}",
            f"zones {DOMAIN}",
            "A victim",
            "AAAA victim",
        ]
    )


def converge_and_check(stack: Stack, cloud: dict[str, Any]) -> None:
    result = stack.clawdet_up()
    assert result.code == 0, result.output
    assert things_at_hetzner(cloud) == expected()
    assert not stack.export()["deployment"].get("pending_operations")
    again = stack.preview("--expect-no-changes", "--refresh")
    assert again.code == 0, f"state and cloud differ after recovery:\n{again.output}"
    one = stack.outputs()["customers"]["victim"]
    assert curl(f"{one['url']}/healthz", one["ipv4"], cloud["ca"]).json()["ok"] is True


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
        "hcloud:index:Server victim-server creating",
        "hcloud:index:ZoneRrset victim-dns-a creating",
        "command:remote:Command victim-deployment creating",
        "command:local:Command victim-health creating",
    ],
)
def test_an_update_killed_while_something_is_made_converges(stack: Stack, cloud: dict[str, Any], trigger: str) -> None:
    kill_when(stack, trigger)
    converge_and_check(stack, cloud)


def test_updates_killed_at_random_moments_again_and_again_converge(stack: Stack, cloud: dict[str, Any]) -> None:
    moments = random.Random(7)  # The same moments at each run; how far an update is by then differs anyway.
    for _ in range(4):
        process = stack.start_up()
        time.sleep(moments.uniform(1.0, 7.0))
        kill_group(process)
        stack.run("clawdet", "recover", "--stack", stack.name).ok()
    converge_and_check(stack, cloud)


def test_an_update_that_is_still_running_is_not_taken_for_a_dead_one(stack: Stack, cloud: dict[str, Any]) -> None:
    process = stack.start_up()
    assert process.stdout is not None
    for line in process.stdout:
        if "creating" in line:
            break
    refused = stack.run("clawdet", "recover", "--stack", stack.name)
    kill_group(process)
    assert refused.code != 0
    assert str(process.pid) in refused.output, refused.output
    converge_and_check(stack, cloud)
