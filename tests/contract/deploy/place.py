"""A real server of the local cloud to deploy on, with names, made with Hetzner's own client."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from hcloud import Client
from hcloud.images import Image
from hcloud.locations import Location
from hcloud.server_types import ServerType
from hcloud.servers import BoundServer
from hcloud.zones import ZoneRecord

from clawdet_infra import render
from clawdet_infra.fleet.probe import Target
from clawdet_infra.layout import CustomerLayout, Layout, lay_out
from clawdet_infra.model import AcmeAccess, Release, load_fleet

DOMAIN = "deploy.test"
TOKEN = "c4" * 32
PASSWORD = "canary-password-1"
API_KEY = "sk-ant-canary-0123456789-abcdefghijklmnop"
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

    def __post_init__(self) -> None:
        self.address = self.server.public_net.ipv4.ip

    def ssh(self, command: str, text: str = "", *, seconds: float = 600) -> Ran:
        options = {
            "UserKnownHostsFile": self.known_hosts,
            "StrictHostKeyChecking": "yes",
            "IdentitiesOnly": "yes",
            "BatchMode": "yes",
            "ConnectTimeout": "5",
            "ConnectionAttempts": "60",
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

    def run(self, command: str, text: str = "") -> str:
        ran = self.ssh(command, text)
        assert ran.code == 0, f"`{command}` ended with {ran.code}: {ran.errors}"
        return ran.output

    def customer(self, plan: str) -> CustomerLayout:
        return next(one for one in self.layout.customers if one.plan.name == plan)

    def payload(self, customer: CustomerLayout, *, token: str = TOKEN, seconds: int = 240, **images: str) -> str:
        bundle = render.bundle(
            customer,
            images=self.images.model_copy(update=images),
            acme=self.acme,
            acme_email=f"ops@{DOMAIN}",
            offline=True,
        )
        secrets = render.environment(customer.customer, gateway_token=token, auth_password=PASSWORD)
        return render.payload(customer, bundle, secrets, start_seconds=seconds)

    def edge_payload(self, email: str = f"ops@{DOMAIN}") -> str:
        host = self.layout.shared_hosts[0]
        bundle = render.host_bundle(host, proxy=self.images.proxy, acme=self.acme, acme_email=email)
        return render.host_payload(host, bundle)

    def deploy(self, payload: str) -> Ran:
        return self.ssh(render.deploy_command("a deployment of the tests"), payload)

    def remove(self, payload: str) -> Ran:
        return self.ssh(render.REMOVE_COMMAND, payload)

    @property
    def acme(self) -> AcmeAccess:
        return AcmeAccess(**self.cloud["acme"])

    def target(self, customer: CustomerLayout, **changes: Any) -> Target:
        fields = {
            "customer": customer.id,
            "url": customer.url,
            "user": customer.user,
            "password": PASSWORD,
            "gateway_token": TOKEN,
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

    def guard(self) -> None:
        """Let the server's guard make a round now."""
        self.run("systemctl start clawdet-guard.service")

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
        user_data=render.cloud_init(
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
    """Two free customers and an enterprise one, in a zone of their own."""
    key = {"anthropicApiKey": API_KEY}
    raw = {
        "domain": f"{name}.test",
        "acmeEmail": f"ops@{DOMAIN}",
        "cloud": {"token": "T1a2" * 16, "endpoint": "http://127.0.0.1:1/v1"},
        "release": {
            "gateway": "ghcr.io/openclaw/openclaw:2026.9.6",
            "proxy": "docker.io/library/caddy:2.11.9",
            "browser": "docker.io/chromedp/headless-shell:156.0.8078.79",
        },
        "server": {"image": "debian-13", "type": "cx23", "location": "fsn1"},
        "ssh": {"sources": ["192.0.2.0/24"]},
        "rollout": {"waves": [100]},
        "sharedHosts": [{"id": "shared-1", "type": "cx33", "location": "fsn1", "capacity": 3}],
        "customers": [
            {"id": "anna", "plan": "free", **key},
            {"id": "bert", "plan": "free", **key},
            {"id": "big", "plan": "enterprise", **key},
        ],
    }
    return lay_out(load_fleet(raw))


def pinned(cloud: dict[str, Any]) -> Release:
    """The images of the local cloud's registry, by digest."""
    names = {
        "gateway": "openclaw/openclaw:2026.9.6",
        "proxy": "library/caddy:2.11.9",
        "browser": "chromedp/headless-shell:156.0.8078.79",
    }
    found = {}
    for role, name in names.items():
        repository, _, tag = name.partition(":")
        answer = requests.head(
            f"https://{cloud['registry']}/v2/{repository}/manifests/{tag}",
            headers={"Accept": MANIFESTS},
            verify=cloud["registry_ca"],
            timeout=10,
        )
        answer.raise_for_status()
        found[role] = f"{cloud['registry']}/{repository}@{answer.headers['Docker-Content-Digest']}"
    return Release.model_construct(**found)
