"""`clawdet up`, killed at random moments while customers come, change and go, and run again: nothing is left apart.

After each second run the cloud, the state and the name server agree with what the stack's file says.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import psutil
import pytest
from hcloud import Client

from tests.contract.hcloud_api.running import TOKEN, free_port, running_cloud
from tests.faults.conftest import DIGEST, EXAMPLE
from tests.support.cloud import fault
from tests.support.idle_commands import idle_commands
from tests.support.stack import Stack, customer

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1200)]

DOMAIN = "kills.test"
ZONE_RECORD = "hcloud:index/zoneRrset:ZoneRrset"
SERVER = "hcloud:index/server:Server"
KINDS = {
    SERVER: "servers",
    "hcloud:index/sshKey:SshKey": "ssh_keys",
    "hcloud:index/firewall:Firewall": "firewalls",
    "hcloud:index/zone:Zone": "zones",
}
HOW = ("all", "all", "all", "command", "engine")
"""What is killed: the command with its engine, the command alone, whose engine goes on, or the engine alone."""
MOST = 5
"""Customers at a time."""


@dataclass
class Fleet:
    """A fleet on a cloud without machines.  `chance` decides all that is random."""

    stack: Stack
    endpoint: str
    dns_port: int
    config: Mapping[str, Any]
    chance: random.Random = field(default_factory=random.Random)
    customers: list[dict[str, Any]] = field(default_factory=list)
    made: int = 0
    left: list[psutil.Process] = field(default_factory=list)
    seconds: float = 8.0
    """How long an update takes that nobody kills: as a guess, and then as the last ones took."""

    def change(self) -> str:
        """Add, change or remove a customer in the stack's file, and return what was done."""
        kinds = ["add"] if not self.customers else ["add", "change", "change", "remove"]
        kind = self.chance.choice(kinds)
        if kind == "add" and len(self.customers) >= MOST:
            kind = "remove"
        one = self.chance.choice(self.customers) if self.customers else {}
        match kind:
            case "add":
                self.made += 1
                self.customers.append(customer(f"c{self.made}", self.chance.choice(["free", "pro", "pro"])))
                done = f"add {self.customers[-1]['id']}"
            case "remove":
                self.customers.remove(one)
                done = f"remove {one['id']}"
            case _:
                done = f"{self._change(one)} of {one['id']}"
        self.configure()
        return done

    def configure(self) -> None:
        """Write the customers into the stack's file; everybody may lose data by it."""
        self.stack.configure({**self.config, "clawdet:customers": self.customers})
        self.stack.extra_env["CLAWDET_ALLOW_LOSS"] = ",".join(f"c{number}" for number in range(1, self.made + 1))

    def _change(self, one: dict[str, Any]) -> str:
        what = self.chance.choice(["tokenVersion", "subdomain", "limits", "location"])
        match what:
            case "tokenVersion":
                one[what] = one.get(what, 1) + 1
            case "subdomain":
                # The records are made under the new name, and those of the old one go.
                one[what] = f"{one['id']}-{self.chance.randrange(10_000)}"
            case "location" if one["plan"] == "pro":
                # The server is replaced.
                now = one.get("server", {}).get("location", "fsn1")
                one["server"] = {"location": "nbg1" if now == "fsn1" else "fsn1"}
            case _:
                one["limits"] = {"pids": self.chance.randrange(300, 900)}
                return "limits"
        return what

    def start(self, *more: str) -> subprocess.Popen[bytes]:
        """Start an update.  It writes into a file, since an engine that is left alone would end with a pipe."""
        with self.log.open("ab") as log:
            return subprocess.Popen(
                ["clawdet", "up", "--stack", self.stack.name, "--no-policy", *more, "--yes", "--non-interactive"],
                cwd=self.stack.folder,
                env=self.stack.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def log(self) -> Path:
        return self.stack.folder / "updates.log"

    def kill(self, how: str, seconds: float, *more: str) -> bool:
        """Start an update and kill it after so many seconds; returns whether it was still running."""
        process = self.start(*more)
        try:
            process.wait(seconds)
            return False
        except subprocess.TimeoutExpired:
            pass
        with suppress(psutil.NoSuchProcess):
            started = psutil.Process(process.pid).children(recursive=True)
            self.left += started
            engines = [one for one in started if one.name() == "pulumi"]
            match how:
                case "command":
                    process.kill()
                case "engine" if engines:
                    engines[0].kill()
                case _:
                    os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True

    def converge(self) -> None:
        """Run the update again, and wait for one that goes on without its command."""
        begun = time.monotonic()
        process = self.start("--wait", "--wait-timeout", "120")
        assert process.wait(400) == 0, "the update after a kill failed"
        # The moments of kills are spread over the time that an update takes, whatever else the machine does.
        self.seconds = (self.seconds + time.monotonic() - begun) / 2
        self.end_left()

    def end_left(self) -> None:
        """End what killed engines have left: their plugins do not end by themselves."""
        for one in self.left:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        self.left.clear()

    # What there is, by three witnesses

    def check(self) -> None:
        """What the cloud, the state and the name server have is what the stack's file says, no more and no less."""
        state = self._state()
        assert not state.get("pending_operations")
        assert not list(self.stack.folder.glob("state/.pulumi/locks/**/*.json")), "no lock is left"
        resources = state["resources"]
        assert not [one["urn"] for one in resources if one.get("delete")], "nothing waits for its deletion"
        names = {one.get("subdomain", one["id"]): one for one in self.customers}
        outputs = next(one["outputs"] for one in resources if one["type"] == "pulumi:pulumi:Stack")
        assert set(outputs["customers"]) == {one["id"] for one in self.customers}

        client = Client(TOKEN, api_endpoint=self.endpoint)
        for kind, attribute in KINDS.items():
            there = {str(one.id): one.name for one in getattr(client, attribute).get_all()}
            # A zone has its id among its outputs only.
            outputs = [{"id": one["id"], **one["outputs"]} for one in resources if one["type"] == kind]
            known = {str(one["id"]): one["name"] for one in outputs}
            assert there == known, f"{attribute}: the cloud has {there}, the state {known}"
        servers = {one.name: one for one in client.servers.get_all()}
        own = {one["id"] for one in self.customers if one["plan"] == "pro"}
        assert own == {name for name in servers if name.startswith("c") and name[1:].isdigit()}
        for one in self.customers:
            wanted = one.get("server", {}).get("location", "fsn1")
            assert one["id"] not in own or servers[one["id"]].location.name == wanted

        addresses = {}
        for name, one in names.items():
            server = servers[one["id"] if one["id"] in own else next(iter(set(servers) - own))]
            addresses[name, "A"] = server.public_net.ipv4.ip
        [zone] = client.zones.get_all(name=DOMAIN)
        labelled = zone.get_rrset_all(label_selector="clawdet-fleet")
        there = {(one.name, one.type): one.records[0].value for one in labelled}
        assert there == addresses
        known = {
            (one["outputs"]["name"], one["outputs"]["type"]): one["outputs"]["records"][0]["value"]
            for one in resources
            if one["type"] == ZONE_RECORD
        }
        assert known == addresses
        for (name, kind), address in addresses.items():
            assert self._answers(name, kind) == [address]
        for one in self.customers:
            if one["id"] not in names:
                assert self._answers(one["id"], "A") == [], "the name of before is not answered any more"
        assert self._answers("c0", "A") == []

    def check_by_engine(self) -> None:
        """The engine finds no difference either, also where it asks the cloud for everything."""
        self.stack.preview("--expect-no-changes", "--refresh").ok()

    def _state(self) -> dict[str, Any]:
        file = self.stack.folder / "state/.pulumi/stacks/clawdet" / f"{self.stack.name}.json"
        return json.loads(file.read_text())["checkpoint"]["latest"]

    def _answers(self, name: str, kind: str) -> list[str]:
        question = dns.message.make_query(f"{name}.{DOMAIN}.", kind)
        answer = dns.query.udp(question, "127.0.0.1", port=self.dns_port, timeout=10)
        return [
            str(IPv6Address(str(one))) if kind == "AAAA" else str(one) for section in answer.answer for one in section
        ]


@contextmanager
def new_fleet(home: Path) -> Iterator[Fleet]:
    dns_port = free_port()
    with running_cloud(home, dns_port=dns_port) as cloud, idle_commands() as idle:
        config = {
            **EXAMPLE,
            "clawdet:cloud": {"endpoint": cloud.endpoint, "token": TOKEN},
            # No registry is asked for what has a digest.
            "clawdet:release": {role: f"{tag}@{DIGEST}" for role, tag in EXAMPLE["clawdet:release"].items()},
            "clawdet:domain": DOMAIN,
            "clawdet:sharedHosts": [{**EXAMPLE["clawdet:sharedHosts"][0], "capacity": 3}],
        }
        stack = Stack(home / "project", name="kills").init()
        stack.extra_env.update(idle)
        fleet = Fleet(stack, cloud.endpoint, dns_port, config)
        try:
            yield fleet
        finally:
            fleet.end_left()


@pytest.fixture(scope="module")
def shared_fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with new_fleet(tmp_path_factory.mktemp("kills")) as fleet:
        yield fleet


def kill_and_converge(fleet: Fleet, kills: int) -> None:
    """Change the fleet, kill the update, and run it again, until so many updates were killed while they ran."""
    killed = 0
    while killed < kills:
        story = [fleet.change()]
        # Each second time the update after a kill is killed too, such as in the middle of its recovery.
        while killed < kills and (len(story) == 1 or fleet.chance.random() < 0.5):
            how, seconds = fleet.chance.choice(HOW), fleet.chance.uniform(0.05, fleet.seconds)
            wait = ("--wait",) if len(story) > 1 else ()
            hit = fleet.kill(how, seconds, *wait)
            killed += hit
            story.append(f"{how} {'killed' if hit else 'had ended'} after {seconds:.2f} s")
            if not hit:
                break
        try:
            fleet.converge()
            fleet.check()
        except BaseException:
            print("\n".join([*story, f"customers: {fleet.customers}", fleet.log.read_text()[-8000:]]))
            raise
        with (fleet.stack.folder / "kills.log").open("a") as log:
            log.write("; ".join(story) + "\n")
    fleet.check_by_engine()


SERVERS, RECORDS = "POST /servers", "POST /zones/{id_or_name}/rrsets"


@pytest.mark.slow  # It is like those of test_killed_updates, but needs an update before.
@pytest.mark.xdist_group("kills-0")
@pytest.mark.parametrize("route", [SERVERS, RECORDS], ids=["server", "record"])
def test_a_replacement_that_was_made_and_not_noted_is_taken_over(shared_fleet: Fleet, route: str) -> None:
    fleet = shared_fleet
    fleet.made += 1
    one = customer(f"c{fleet.made}", "pro")
    fleet.customers = [*fleet.customers[-2:], one]
    fleet.configure()
    fleet.converge()
    one.update({"server": {"location": "nbg1"}} if route == SERVERS else {"subdomain": f"{one['id']}-new"})
    fleet.configure()
    named = {"name": one.get("subdomain", one["id"])}
    cloud = {"endpoint": fleet.endpoint, "token": TOKEN}
    with fault(cloud, route, code="lost", match=named, delay=600) as held:
        process = fleet.start()
        held.wait()
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    fleet.converge()
    fleet.check()
    fleet.check_by_engine()


def group(number: int) -> pytest.MarkDecorator:
    """One of a few groups that share the work, each with a fleet of its own."""
    return pytest.mark.xdist_group(f"kills-{number % 4}")


# 200 kills take half an hour; the default tier kills an update at random moments in test_killed_updates.
@pytest.mark.slow
@pytest.mark.parametrize("seed", [pytest.param(seed, id=f"seed{seed}", marks=group(seed)) for seed in range(1, 21)])
def test_updates_killed_at_random_moments_converge(shared_fleet: Fleet, seed: int) -> None:
    shared_fleet.chance.seed(seed)
    kill_and_converge(shared_fleet, kills=10)
