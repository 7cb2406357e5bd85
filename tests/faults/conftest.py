"""Fleets whose updates are killed: on a cloud without machines, which all share, and on real servers."""

from __future__ import annotations

import secrets
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from hcloud import Client

from tests.contract.hcloud_api.running import TOKEN, running_cloud
from tests.support.cloud import info_of
from tests.support.gateway import curl
from tests.support.gateways import gateway
from tests.support.idle_commands import idle_commands
from tests.support.stack import ROOT, Result, Stack, customer, fleet_config

DIGEST = "sha256:" + "5" * 64
EXAMPLE = yaml.safe_load((ROOT / "Pulumi.local.yaml").read_text())["config"]


@dataclass
class Victim:
    """A stack whose updates are killed, and the customer that the next one makes.

    Its cloud is a mapping with `endpoint` and `token`, and without machines nothing else.
    """

    stack: Stack
    cloud: Mapping[str, Any]
    domain: str
    config: Mapping[str, Any]
    machines: bool
    customers: list[str] = field(default_factory=list)

    @property
    def identity(self) -> str:
        """The customer that is being made."""
        return self.customers[-1]

    @property
    def client(self) -> Client:
        return Client(self.cloud["token"], api_endpoint=self.cloud["endpoint"])

    def add(self) -> None:
        """Ask for one more customer, on a server of its own."""
        self.customers.append(f"victim-{secrets.token_hex(4)}")
        listed = [customer(one, "pro") for one in self.customers]
        self.stack.configure({**self.config, "clawdet:customers": listed})

    @contextmanager
    def commands(self, held: str = "") -> Iterator[None]:
        """Without machines, commands are run by a stand-in; the creation of `held` lasts until the end of the block."""
        if self.machines:
            yield
            return
        with idle_commands(held) as idle:
            self.stack.extra_env.update(idle)
            yield
            for name in idle:
                del self.stack.extra_env[name]

    def start_up(self) -> subprocess.Popen[str]:
        """An update that can be killed."""
        return self.stack.start_up()

    def recover(self) -> Result:
        return self.stack.run("clawdet", "recover", "--stack", self.stack.name)

    def converge(self, *, by_hand: bool) -> Result:
        """Run the update again, by `clawdet up`, or without machines step by step: recover, then update.

        The steps are the same; `clawdet up` previews the update in between, which takes as long again.
        """
        if self.machines:
            return self.stack.clawdet_up()
        if by_hand:
            self.recover().ok()
            return self.stack.up()
        # A policy pack that is started for nothing: the policies see what is declared, and not what was killed.
        return self.stack.clawdet_up("--no-policy")

    def things_at_hetzner(self) -> Counter[str]:
        """How often each thing of this fleet exists, by kind and name."""
        client, label = self.client, f"clawdet-fleet={self.domain}"
        things = Counter[str]()
        for kind in ("servers", "ssh_keys", "firewalls", "zones"):
            things.update(f"{kind} {one.name}" for one in getattr(client, kind).get_all(label_selector=label))
        for zone in client.zones.get_all(name=self.domain):
            things.update(f"{one.type} {one.name}" for one in zone.get_rrset_all(label_selector=label))
        return things

    def expected(self) -> Counter[str]:
        fleet = [f"ssh_keys clawdet-{self.domain}", f"firewalls clawdet-{self.domain}", f"zones {self.domain}"]
        return Counter(
            [*fleet, *(f"{kind} {one}" for one in self.customers for kind in ("servers", "A"))],
        )

    def check(self) -> None:
        """What the state says and what Hetzner has is what was asked for, and no operation is left open."""
        assert self.things_at_hetzner() == self.expected()
        assert not self.pending()
        again = self.stack.preview("--expect-no-changes", "--refresh")
        assert again.code == 0, f"state and cloud differ after recovery:\n{again.output}"
        if self.machines:
            one = self.stack.outputs()["customers"][self.identity]
            assert curl(f"{one['url']}/healthz", one["ipv4"], self.cloud["ca"]).json()["ok"] is True

    def pending(self) -> list[str]:
        """The types of the resources whose operation the state calls pending."""
        operations = self.stack.export()["deployment"].get("pending_operations") or []
        return [one["resource"]["type"] for one in operations]


def _gone(victim: Victim) -> None:
    """Destroy the stack, which leaves nothing at Hetzner."""
    victim.recover()
    with victim.commands():
        result = victim.stack.destroy()
    assert result.code == 0, result.output
    assert victim.things_at_hetzner() == Counter(), "destroying the stack leaves nothing behind"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    """A stack on a cloud without machines; each test makes a customer more."""
    home = tmp_path_factory.mktemp("killed")
    domain = "killed.test"
    with running_cloud(home) as cloud:
        config = {
            **EXAMPLE,
            "clawdet:cloud": {"endpoint": cloud.endpoint, "token": TOKEN},
            # No registry is asked for what has a digest.
            "clawdet:release": {role: f"{tag}@{DIGEST}" for role, tag in EXAMPLE["clawdet:release"].items()},
            "clawdet:domain": domain,
            "clawdet:sharedHosts": [],
        }
        stack = Stack(home / "project", name="killed").init()
        victim = Victim(stack, {"endpoint": cloud.endpoint, "token": TOKEN}, domain, config, machines=False)
        yield victim
        _gone(victim)


@pytest.fixture
def idle_victim(shared: Victim) -> Victim:
    """One more customer, without machines."""
    shared.add()
    return shared


@pytest.fixture
def real_victim(tmp_path: Path, cloud: dict[str, Any]) -> Iterator[Victim]:
    """A stack of one customer on a real server, whose names nothing else in the project has."""
    domain = f"killed-{secrets.token_hex(4)}.test"
    release = {**EXAMPLE["clawdet:release"], "gateway": gateway()}
    config = fleet_config(info_of(cloud), [], domain=domain, sharedHosts=[], release=release)
    victim = Victim(Stack(tmp_path / "project", name="killed").init(), cloud, domain, config, machines=True)
    victim.add()
    yield victim
    _gone(victim)


@pytest.fixture(params=["without machines", pytest.param("on a server", marks=[pytest.mark.cloud, pytest.mark.slow])])
def victim(request: pytest.FixtureRequest) -> Victim:
    """Each kill point without machines, and in the long tier on a real server too."""
    chosen: Victim = request.getfixturevalue("real_victim" if request.param == "on a server" else "idle_victim")
    return chosen
