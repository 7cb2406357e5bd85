"""A real server of the local cloud to deploy on, with names, made with Hetzner's own client."""

from __future__ import annotations

import hashlib
import json
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import requests
import yaml
from hcloud import Client
from hcloud.images import Image
from hcloud.locations import Location
from hcloud.server_types import ServerType
from hcloud.servers import BoundServer
from hcloud.zones import ZoneRecord

from clawdet_infra import render
from clawdet_infra.agent import names
from clawdet_infra.agent.package import bring_command, build
from clawdet_infra.config import AcmeAccess, Release, load_fleet
from clawdet_infra.layout import CustomerLayout, Layout, plan_layout
from clawdet_infra.probe import Target
from clawdet_infra.render.bundle import COMPOSE_FILE
from tests.support.gateways import gateway
from tests.support.logs import server_logs

DOMAIN = "deploy.test"
API_KEY = "sk-ant-canary-0123456789-abcdefghijklmnop"
TELEGRAM = "123456789:canaryTELEGRAMabcdefghijklmnopqrstuv"
IMAGES = {
    "gateway": gateway(),
    "proxy": "docker.io/library/caddy:2.11.9",
    "browser": "docker.io/chromedp/headless-shell:156.0.8078.79",
}
REBOOT_SECONDS = 180
MANIFESTS = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in (
        "oci.image.index.v1",
        "oci.image.manifest.v1",
        "docker.distribution.manifest.list.v2",
        "docker.distribution.manifest.v2",
    )
)


def token(customer: str) -> str:
    """The gateway token of a customer, given by id."""
    return hashlib.sha256(f"token of {customer}".encode()).hexdigest()


def password(customer: str) -> str:
    """The password of a customer, given by id."""
    return f"canary-password-of-{customer}"


def secrets(customer: str) -> dict[str, str]:
    """What only a customer's own containers may know, by name."""
    return {"token": token(customer), "password": password(customer)}


@dataclass(frozen=True)
class Ran:
    """How a command on a server ended."""

    code: int
    output: str
    errors: str


@dataclass
class Place:
    """One server, and how to deploy on it."""

    cloud: dict[str, Any]
    folder: Path
    server: BoundServer
    login: Path
    known_hosts: Path
    layout: Layout
    images: Release
    address: str = field(init=False)
    _said: str = field(init=False, default="")

    def __post_init__(self) -> None:
        self.address = self.server.public_net.ipv4.ip

    def ssh(self, command: str, text: str = "", *, seconds: float = 600, attempts: int = 60) -> Ran:
        options = {
            "UserKnownHostsFile": self.known_hosts,
            "StrictHostKeyChecking": "yes",
            "IdentitiesOnly": "yes",
            "BatchMode": "yes",
            "ConnectTimeout": "5",
            "ConnectionAttempts": str(attempts),
        }
        flags = [part for key, value in options.items() for part in ("-o", f"{key}={value}")]
        done = subprocess.run(
            ["ssh", "-q", "-i", self.login, *flags, f"root@{self.address}", command],
            input=text,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def codes(self, commands: Sequence[str]) -> dict[str, int]:
        """The exit code of each command; all run at once, since what is dropped shows by waiting for it."""
        with ThreadPoolExecutor(8) as pool:
            return dict(zip(commands, (ran.code for ran in pool.map(self.ssh, commands)), strict=True))

    def run(self, command: str, text: str = "") -> str:
        ran = self.ssh(command, text)
        assert ran.code == 0, f"`{command}` ended with {ran.code}: {ran.errors}"
        return ran.output

    def customer(self, identity: str) -> CustomerLayout:
        return next(one for one in self.layout.customers if one.id == identity)

    def payload(
        self,
        customer: CustomerLayout,
        *,
        seconds: int = 240,
        compose: Callable[[dict[str, Any]], None] | None = None,
        email: str = f"ops@{DOMAIN}",
        **images: str,
    ) -> str:
        """What is deployed for a customer; `compose` may change its Compose file, for example shorten a time."""
        bundle = render.bundle(
            customer,
            images=self.images.model_copy(update=images),
            acme=self.acme,
            acme_email=email,
            offline=True,
        )
        bundle = with_compose(bundle, compose)
        environment = render.environment(
            customer.customer, gateway_token=token(customer.id), auth_password=password(customer.id)
        )
        return render.payload(customer, bundle, environment, start_seconds=seconds)

    def edge_payload(
        self, email: str = f"ops@{DOMAIN}", compose: Callable[[dict[str, Any]], None] | None = None
    ) -> str:
        host = self.layout.shared_hosts[0]
        bundle = render.host_bundle(host, proxy=self.images.proxy, acme=self.acme, acme_email=email)
        return render.host_payload(host, with_compose(bundle, compose))

    def deploy(self, payload: str) -> Ran:
        agent = names.agent(build().digest, json.loads(payload)["project"])
        self.run(bring_command(agent), build().base64)
        return self._kept(self.ssh(render.deploy_command("a deployment of the tests", agent), payload))

    def must_deploy(self, payload: str) -> None:
        """Deploy, and fail with the server's logs where that does not work."""
        ran = self.deploy(payload)
        assert ran.code == 0, f"{ran.errors}\n{self.logs()}"

    def remove(self, payload: str) -> Ran:
        return self._kept(self.ssh(render.remove_command(), payload))

    def _kept(self, ran: Ran) -> Ran:
        self._said = f"{ran.output}{ran.errors}"
        return ran

    def logs(self) -> str:
        """The last lines of the logs on the server, without secrets."""

        def run(command: str) -> str:
            ran = self.ssh(command, seconds=60, attempts=1)
            return ran.output or f"ssh ended with {ran.code}: {ran.errors}"

        hidden = [API_KEY, TELEGRAM, *(password(one.id) for one in self.layout.customers)]
        return server_logs(run, deployment=self._said, secrets=hidden)

    @property
    def acme(self) -> AcmeAccess:
        return AcmeAccess(**self.cloud["acme"])

    def target(self, customer: CustomerLayout, **changes: Any) -> Target:
        fields = {
            "customer": customer.id,
            "url": customer.url,
            "user": customer.user,
            "password": password(customer.id),
            "gateway_token": token(customer.id),
            "ipv4": self.address,
            "resolver": self.cloud["dns"],
            "ca_bundle": self.cloud["ca"],
            "deadline_seconds": 180,
        }
        return Target.model_validate(fields | changes)

    def reboot(self) -> None:
        """Let the server start again, and wait until it answers as one that has."""
        start = "cat /proc/sys/kernel/random/boot_id; cut -d ' ' -f 22 /proc/1/stat"
        before = self.run(start)
        self.ssh("systemctl reboot")
        end = time.monotonic() + REBOOT_SECONDS
        while time.monotonic() < end:
            ran = self.ssh(start)
            if ran.code == 0 and ran.output != before:
                return
            time.sleep(1)
        raise AssertionError(f"the server did not start again within {REBOOT_SECONDS} s")

    def until(self, condition: str, what: str, seconds: int) -> None:
        """Wait on the server until a shell command succeeds."""
        ran = self.ssh(f"timeout {seconds} sh -c 'until {condition}; do sleep 0.2; done'", seconds=seconds + 60)
        assert ran.code == 0, f"after {seconds} s still not: {what}"

    def guard(self) -> None:
        """Let the server's guard make a round now."""
        # systemd refuses a sixth start within ten seconds, which the timer of the guard never asks for.
        self.run("systemctl reset-failed clawdet-guard.service || true; systemctl start clawdet-guard.service")

    def states(self, project: str) -> dict[str, str]:
        """How Docker calls each container of a project, by service."""
        form = '{{.Label "com.docker.compose.service"}} {{.State}}'
        label = f"label=com.docker.compose.project={project}"
        lines = self.run(f"docker ps --all --format '{form}' --filter {label}").splitlines()
        return dict(line.split(" ") for line in lines)

    def inspect(self, *containers: str) -> list[dict[str, Any]]:
        return json.loads(self.run(f"docker inspect {' '.join(containers)}"))

    def started(self, project: str) -> dict[str, str]:
        """When each container of a project was started, by service."""
        label = "com.docker.compose"
        ids = self.run(f"docker ps --quiet --filter label={label}.project={project}").split()
        return {one["Config"]["Labels"][f"{label}.service"]: one["State"]["StartedAt"] for one in self.inspect(*ids)}


def with_compose(bundle: render.Bundle, change: Callable[[dict[str, Any]], None] | None) -> render.Bundle:
    """The bundle with another Compose file."""
    if change is None:
        return bundle
    file = bundle.files[COMPOSE_FILE]
    content = yaml.safe_load(file.content)
    change(content)
    changed = replace(file, content=yaml.safe_dump(content))
    return replace(bundle, files={**bundle.files, COMPOSE_FILE: changed})


def make_place(cloud: dict[str, Any], folder: Path, name: str, server_type: str) -> Place:
    """Rent a server for the tests and give the example customers names that lead to it."""
    client = Client(token=cloud["token"], api_endpoint=cloud["endpoint"], poll_interval=0.2)
    _clear(client, name)
    for key in ("host", "login"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key], check=True)
    login = client.ssh_keys.create(name=name, public_key=(folder / "login.pub").read_text())
    created = client.servers.create(
        name=name,
        server_type=ServerType(name=server_type),
        image=Image(name="debian-13"),
        location=Location(name="fsn1"),
        ssh_keys=[login],
        user_data=render.user_data(
            host_key_private=(folder / "host").read_text(), host_key_public=(folder / "host.pub").read_text()
        ),
    )
    created.action.wait_until_finished()
    server = client.servers.get_by_id(created.server.id)
    address = server.public_net.ipv4.ip
    known_hosts = folder / "known_hosts"
    known_hosts.write_text(f"{address} {(folder / 'host.pub').read_text()}")
    layout = example(name)
    client.zones.create(name=layout.fleet.domain, mode="primary").action.wait_until_finished()
    bound = client.zones.get(layout.fleet.domain)
    for customer in layout.customers:
        client.zones.create_rrset(
            bound, name=customer.subdomain, type="A", ttl=60, records=[ZoneRecord(value=address)]
        ).action.wait_until_finished()
    return Place(cloud, folder, server, folder / "login", known_hosts, layout, pinned(cloud))


def give_back(place: Place) -> None:
    client = Client(token=place.cloud["token"], api_endpoint=place.cloud["endpoint"], poll_interval=0.2)
    _clear(client, place.server.name)


def _clear(client: Client, name: str) -> None:
    """Delete what a place consists of, also what a run that was stopped has left."""
    for server in client.servers.get_all(name=name):
        client.servers.delete(server).wait_until_finished()
    for key in client.ssh_keys.get_all(name=name):
        client.ssh_keys.delete(key)
    for zone in client.zones.get_all(name=f"{name}.test"):
        client.zones.delete(zone).action.wait_until_finished()


def example(name: str) -> Layout:
    """Three free customers and an enterprise one, in a zone of their own."""
    key = {"anthropicApiKey": API_KEY}
    raw = {
        "domain": f"{name}.test",
        "acmeEmail": f"ops@{DOMAIN}",
        "cloud": {"token": "T1a2" * 16, "endpoint": "http://127.0.0.1:1/v1"},
        "release": IMAGES,
        "server": {"image": "debian-13", "type": "cx23", "location": "fsn1"},
        "ssh": {"sources": ["192.0.2.0/24"]},
        "rollout": {"waves": [100]},
        "sharedHosts": [{"id": "shared-1", "type": "cx33", "location": "fsn1", "capacity": 3}],
        "customers": [
            {"id": "anna", "plan": "free", **key},
            {"id": "bert", "plan": "free", **key},
            {"id": "cora", "plan": "free", **key},
            {"id": "big", "plan": "enterprise", "telegramBotToken": TELEGRAM, **key},
        ],
    }
    return plan_layout(load_fleet(raw))


def pinned(cloud: dict[str, Any]) -> Release:
    """The images of the local cloud's registry, by digest."""
    found = {}
    for role, name in IMAGES.items():
        # The local registry serves each under its name without the public registry's.
        repository, _, tag = name.partition("/")[2].partition(":")
        answer = requests.head(
            f"https://{cloud['registry']}/v2/{repository}/manifests/{tag}",
            headers={"Accept": MANIFESTS},
            verify=cloud["registry_ca"],
            timeout=10,
        )
        answer.raise_for_status()
        found[role] = f"{cloud['registry']}/{repository}@{answer.headers['Docker-Content-Digest']}"
    return Release.model_construct(**found)
