"""A cloud with machines: servers pull by digest, Caddy gets certificates, and the daemon may die on the way."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hcloud import Client
from hcloud.images import Image
from hcloud.server_types import ServerType
from hcloud.zones import ZoneRecord

from tests.contract.services.clouds import ROOT, Cloud, services_of, wait_until_dead

pytestmark = pytest.mark.cloud

DOMAIN = "certificates.test"
NAME = f"user123.{DOMAIN}"


class Host:
    """One server, reached by OpenSSH."""

    def __init__(self, client: Client, folder: Path, name: str) -> None:
        self.folder = folder
        key = folder / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        self.key = client.ssh_keys.create(name=name, public_key=key.with_suffix(".pub").read_text().strip())
        created = client.servers.create(
            name=name, server_type=ServerType(name="cx23"), image=Image(name="debian-13"), ssh_keys=[self.key]
        )
        for action in (created.action, *created.next_actions):
            action.wait_until_finished(max_retries=1000)
        self.server = created.server
        self.ipv4: str = client.servers.get_by_id(created.server.id).public_net.ipv4.ip
        self.until("test -S /run/docker.sock && docker version", 60)

    def attempt(self, command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        options = {"StrictHostKeyChecking": "no", "UserKnownHostsFile": "/dev/null", "BatchMode": "yes"}
        flags = [part for key, value in options.items() for part in ("-o", f"{key}={value}")]
        argv = ["ssh", "-q", "-i", str(self.folder / "key"), *flags, f"root@{self.ipv4}", command]
        return subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=180, check=False)

    def run(self, command: str, stdin: str = "") -> str:
        done = self.attempt(command, stdin)
        assert done.returncode == 0, f"`{command}` ended with {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout

    def until(self, command: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while (done := self.attempt(command)).returncode != 0:
            assert time.monotonic() < deadline, f"`{command}`: {done.stdout}{done.stderr}"
            time.sleep(0.5)

    def remove(self) -> None:
        self.server.delete().wait_until_finished(max_retries=1000)
        self.key.delete()


def client_of(info: dict[str, Any]) -> Client:
    return Client(token=info["token"], api_endpoint=info["endpoint"], poll_interval=0.1)


def digests(cloud: Cloud) -> dict[str, str]:
    found: dict[str, str] = json.loads(cloud.attempt("images", "--json").stdout)
    return found


@pytest.fixture(scope="module")
def test_cloud(machines_cloud: dict[str, Any]) -> Cloud:
    """The cloud that all tests with machines share."""
    return Cloud(Path(machines_cloud["ca"]).parents[1], machines_cloud["name"])


@pytest.fixture(scope="module")
def host(machines_cloud: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A server whose Caddy asks for a certificate for NAME; the record was there first."""
    client = client_of(machines_cloud)
    made = Host(client, tmp_path_factory.mktemp("host"), "certificates")
    zone = client.zones.create(name=DOMAIN, mode="primary").zone
    client.zones.create_rrset(
        zone, name="user123", type="A", records=[ZoneRecord(value=made.ipv4)]
    ).action.wait_until_finished()
    yield made
    made.remove()
    client.zones.delete(zone).action.wait_until_finished()


def start_caddy(host: Host, info: dict[str, Any], digest: str) -> None:
    host.run("mkdir -p /srv/caddy && cat > /srv/caddy/root.pem", Path(info["acme"]["root"]).read_text())
    caddyfile = f"""{{
    acme_ca {info["acme"]["directory"]}
    acme_ca_root /srv/root.pem
    email ops@{DOMAIN}
}}
{NAME} {{
    respond "it works"
}}
"""
    host.run("cat > /srv/caddy/Caddyfile", caddyfile)
    image = f"{info['registry']}/library/caddy@{digest}"
    host.run(
        "docker run --detach --name caddy --restart always --publish 80:80 --publish 443:443 "
        "--volume /srv/caddy/Caddyfile:/etc/caddy/Caddyfile:ro --volume /srv/caddy/root.pem:/srv/root.pem:ro "
        f"--volume caddy:/data {image}"
    )


def certificate(address: str, trusted: str, seconds: float = 60.0) -> dict[str, Any]:
    """The certificate that the server shows, once there is one that chains to what is trusted."""
    deadline = time.monotonic() + seconds
    context = ssl.create_default_context(cafile=trusted)
    while True:
        try:
            with (
                socket.create_connection((address, 443), timeout=5) as plain,
                context.wrap_socket(plain, server_hostname=NAME) as secured,
            ):
                found: dict[str, Any] = dict(secured.getpeercert() or {})
                return found
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def test_servers_pull_every_image_by_its_digest(host: Host, machines_cloud: dict[str, Any], test_cloud: Cloud) -> None:
    for reference, digest in digests(test_cloud).items():
        name = f"{machines_cloud['registry']}/{reference.partition(':')[0]}@{digest}"
        host.run(f"docker pull --quiet {name}")
        found = host.run(f"docker image inspect --format '{{{{json .RepoDigests}}}}' {name}")
        assert digest in found


def test_a_tag_stands_for_the_digest_that_the_cloud_tells(machines_cloud: dict[str, Any], test_cloud: Cloud) -> None:
    for reference, digest in digests(test_cloud).items():
        repository, _, tag = reference.partition(":")
        url = f"https://{machines_cloud['registry']}/v2/{repository}/manifests/{tag}"
        accept = "Accept: application/vnd.docker.distribution.manifest.v2+json"
        command = [
            "curl",
            "--silent",
            "--fail",
            "--head",
            "--cacert",
            machines_cloud["registry_ca"],
            "--header",
            accept,
            url,
        ]
        headers = subprocess.run(command, capture_output=True, text=True, check=True).stdout.lower()
        assert f"docker-content-digest: {digest}" in headers


def test_the_registry_shows_no_certificate_of_another_authority(machines_cloud: dict[str, Any]) -> None:
    done = subprocess.run(["curl", "--silent", f"https://{machines_cloud['registry']}/v2/"], check=False)

    assert done.returncode == 60, "without the local CA nobody trusts the registry"


def test_servers_ask_the_clouds_name_server(host: Host) -> None:
    assert host.run(f"getent ahostsv4 {NAME}").split()[0] == host.ipv4


def test_caddy_on_a_server_gets_a_certificate_and_keeps_it_when_the_daemon_is_killed(
    host: Host, machines_cloud: dict[str, Any], test_cloud: Cloud
) -> None:
    start_caddy(host, machines_cloud, digests(test_cloud)["library/caddy:2.11.9"])
    before = certificate(host.ipv4, machines_cloud["ca"])
    assert ("DNS", NAME) in before["subjectAltName"]
    started = host.run("docker inspect --format '{{.State.StartedAt}}' caddy")
    pid = test_cloud.pid
    services = services_of(pid)
    roots = Path(machines_cloud["ca"]).read_text().count("BEGIN CERTIFICATE")
    assert set(services) == {"docker-registry", "pebble"}

    os.kill(pid, signal.SIGKILL)
    for process in (pid, *services.values()):
        wait_until_dead(process)
    test_cloud.up()

    assert test_cloud.info == machines_cloud, "who uses the cloud need not notice"
    assert host.run("docker inspect --format '{{.State.StartedAt}}' caddy") == started, "servers run on"
    assert client_of(machines_cloud).servers.get_by_id(host.server.id).status == "running"
    assert Path(machines_cloud["ca"]).read_text().count("BEGIN CERTIFICATE") == roots + 1, (
        "the new ACME root came in addition"
    )
    assert certificate(host.ipv4, machines_cloud["ca"])["serialNumber"] == before["serialNumber"]

    # The new ACME server knows nothing of the account, so a new certificate shows that Caddy registers again; its
    # first try ends with doing that, and the second comes a minute later.
    host.run("docker exec caddy rm -r /data/caddy/certificates && docker restart caddy")
    assert certificate(host.ipv4, machines_cloud["ca"], seconds=150)["serialNumber"] != before["serialNumber"]


def test_down_and_up_bring_the_servers_back(host: Host, machines_cloud: dict[str, Any], test_cloud: Cloud) -> None:
    host.run("echo kept > /root/kept")

    test_cloud.run("down")
    with pytest.raises(OSError, match=r"refused|timed out|No route|unreachable"):
        socket.create_connection((host.ipv4, 22), timeout=5)
    test_cloud.up()

    assert test_cloud.info == machines_cloud
    host.until("true", 60)
    assert host.run("cat /root/kept").strip() == "kept"


def test_two_clouds_stand_side_by_side_and_one_is_removed_alone(
    host: Host, machines_cloud: dict[str, Any], tmp_path: Path
) -> None:
    other = Cloud(tmp_path / "home", "second")
    try:
        other.up()
        info = other.info
        assert info["registry"] != machines_cloud["registry"], "each has a network of its own"
        client = client_of(info)
        created = client.servers.create(
            name="there", server_type=ServerType(name="cx23"), image=Image(name="debian-13")
        )
        for action in (created.action, *created.next_actions):
            action.wait_until_finished(max_retries=1000)
        assert client.servers.get_by_id(created.server.id).status == "running"
    finally:
        other.run("destroy")

    docker = ["docker", "--host", machines_cloud["docker_host"]]
    left = subprocess.run(
        [*docker, "ps", "--all", "--format", "{{.Names}}"], capture_output=True, text=True, check=True
    ).stdout
    assert "clawdet-second-" not in left
    assert client_of(machines_cloud).servers.get_by_id(host.server.id).status == "running"
    host.run("true")
    assert (ROOT / "pyproject.toml").exists()
