"""What the cloud has beside its servers: they pull by digest, Caddy gets certificates, and the daemon may die."""

from __future__ import annotations

import asyncio
import itertools
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
from hcloud.zones import ZoneRecord

from tests.contract.machines.bench import Bench, Server, until
from tests.contract.machines.conftest import client_of
from tests.contract.machines.test_life import assert_stays_off, serving_again
from tests.contract.services.clouds import Cloud, services_of, wait_until_dead

pytestmark = [pytest.mark.cloud, pytest.mark.xdist_group("machines"), pytest.mark.asyncio(loop_scope="session")]

DOMAIN = "certificates.test"
NAME = f"user123.{DOMAIN}"


def digests(cloud: Cloud) -> dict[str, str]:
    found: dict[str, str] = json.loads(cloud.attempt("images", "--json").stdout)
    return found


def text(path: str) -> str:
    return Path(path).read_text()


def curl(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["curl", "--silent", *arguments], capture_output=True, text=True, check=False)


@pytest.fixture
def daemon(machines_cloud: dict[str, Any]) -> Cloud:
    """The cloud that all tests with machines share, and its commands."""
    return Cloud(Path(machines_cloud["ca"]).parents[1], machines_cloud["name"], own=False)


@pytest.fixture(scope="module")
def named(other: Server, machines_cloud: dict[str, Any]) -> Iterator[Server]:
    """The API's server, with a record for NAME."""
    client = client_of(machines_cloud)
    if left := client.zones.get_all(name=DOMAIN):
        left[0].delete().action.wait_until_finished()
    zone = client.zones.create(name=DOMAIN, mode="primary").zone
    record = [ZoneRecord(value=other.address)]
    client.zones.create_rrset(zone, name="user123", type="A", records=record).action.wait_until_finished()
    yield other
    client.zones.delete(zone).action.wait_until_finished()


async def start_caddy(host: Server, info: dict[str, Any], digest: str, root: str) -> None:
    caddyfile = f"""{{
    acme_ca {info["acme"]["directory"]}
    acme_ca_root /srv/root.pem
    email ops@{DOMAIN}
}}
{NAME} {{
    respond "it works"
}}
"""
    image = f"{info['registry']}/library/caddy@{digest}"
    await host.run(
        f"mkdir -p /srv/caddy && echo '{root}' > /srv/caddy/root.pem && echo '{caddyfile}' > /srv/caddy/Caddyfile && "
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
            time.sleep(0.2)


async def test_servers_pull_every_image_by_its_digest(
    other: Server, machines_cloud: dict[str, Any], daemon: Cloud
) -> None:
    for reference, digest in digests(daemon).items():
        name = f"{machines_cloud['registry']}/{reference.partition(':')[0]}@{digest}"
        await other.run(f"docker pull --quiet {name}")
        found = await other.run(f"docker image inspect --format '{{{{json .RepoDigests}}}}' {name}")
        assert digest in found


async def test_no_server_can_put_an_image_into_the_registry_or_change_one(
    other: Server, machines_cloud: dict[str, Any], daemon: Cloud
) -> None:
    reference, digest = next(iter(digests(daemon).items()))
    repository, _, tag = reference.partition(":")
    ask = "curl --silent --insecure --max-time 10 --output /dev/null --write-out '%{http_code}' --request"
    here = f"https://{machines_cloud['registry']}/v2/{repository}"
    manifest = f"--data '{{}}' --header 'Content-Type: application/vnd.docker.distribution.manifest.v2+json' {here}"
    attempts = [
        f"POST {here}/blobs/uploads/",
        f"PUT {manifest}/manifests/{tag}",
        f"DELETE {here}/manifests/{digest}",
        f"DELETE {here}/blobs/{digest}",
    ]
    answers = [await other.run(f"{ask} {attempt}") for attempt in attempts]
    assert {answer.strip() for answer in answers} == {"405"}, answers
    host, port = machines_cloud["registry_push"].split(":")
    gateway = machines_cloud["registry"].split(":")[0]
    closed = [
        await other.run(f"timeout 2 bash -c '</dev/tcp/{address}/{port}' || echo closed") for address in (host, gateway)
    ]
    assert [one.strip() for one in closed] == ["closed", "closed"], "pushes are taken on this machine alone"


async def test_a_tag_stands_for_the_digest_that_the_cloud_tells(machines_cloud: dict[str, Any], daemon: Cloud) -> None:
    for reference, digest in digests(daemon).items():
        repository, _, tag = reference.partition(":")
        url = f"https://{machines_cloud['registry']}/v2/{repository}/manifests/{tag}"
        accept = "Accept: application/vnd.docker.distribution.manifest.v2+json"
        options = ("--fail", "--head", "--cacert", machines_cloud["registry_ca"], "--header", accept)
        assert f"docker-content-digest: {digest}" in curl(*options, url).stdout.lower()


async def test_the_registry_shows_no_certificate_of_another_authority(machines_cloud: dict[str, Any]) -> None:
    assert curl(f"https://{machines_cloud['registry']}/v2/").returncode == 60, (
        "only the local CA makes the registry trusted"
    )


async def test_servers_ask_the_clouds_name_server(named: Server) -> None:
    assert (await named.run(f"getent ahostsv4 {NAME}")).split()[0] == named.address


async def test_caddy_on_a_server_gets_a_certificate_and_keeps_it_when_the_daemon_is_killed(
    named: Server, machines_cloud: dict[str, Any], daemon: Cloud
) -> None:
    digest, root = digests(daemon)["library/caddy:2.11.9"], text(machines_cloud["acme"]["root"])
    await start_caddy(named, machines_cloud, digest, root)
    before = await asyncio.to_thread(certificate, named.address, machines_cloud["ca"])
    assert ("DNS", NAME) in before["subjectAltName"]
    started = await named.run("docker inspect --format '{{.State.StartedAt}}' caddy")
    pid = daemon.pid
    services = services_of(pid)
    roots = text(machines_cloud["ca"]).count("BEGIN CERTIFICATE")
    assert {name: len(processes) for name, processes in services.items()} == {"docker-registry": 2, "pebble": 1}

    os.kill(pid, signal.SIGKILL)
    for process in (pid, *itertools.chain.from_iterable(services.values())):
        wait_until_dead(process)
    daemon.up()

    assert daemon.info == machines_cloud, "who uses the cloud need not notice"
    assert await named.run("docker inspect --format '{{.State.StartedAt}}' caddy") == started, "servers run on"
    assert client_of(machines_cloud).servers.get_by_id(named.number).status == "running"
    assert text(machines_cloud["ca"]).count("BEGIN CERTIFICATE") == roots + 1, "the new ACME root came in addition"
    kept = await asyncio.to_thread(certificate, named.address, machines_cloud["ca"])
    assert kept["serialNumber"] == before["serialNumber"]

    # The new ACME server knows nothing of the account, so a new certificate shows that Caddy registers again.  Its
    # first try ends with forgetting the account; a restart after that saves the minute that it waits before the second.
    tries = "docker logs caddy 2>&1 | grep -c 'will retry' || true"
    failed = int(await named.run(tries))
    await named.run("docker exec caddy rm -r /data/caddy/certificates && docker restart --time 1 caddy")
    await named.run(f"until [ $({tries}) -gt {failed} ]; do sleep 0.1; done")
    await named.run("docker restart --time 1 caddy")
    renewed = await asyncio.to_thread(certificate, named.address, machines_cloud["ca"])
    assert renewed["serialNumber"] != before["serialNumber"]
    await named.run("docker rm --force caddy")


async def test_down_and_up_bring_the_servers_back(
    web: Server, other: Server, bench: Bench, machines_cloud: dict[str, Any], daemon: Cloud
) -> None:
    for server in (web, other):
        await server.run("echo kept > /root/kept")

    await asyncio.to_thread(daemon.run, "down")

    for server in (web, other):
        await assert_stays_off(server)
        with pytest.raises(OSError, match=r"refused|timed out|No route|unreachable"):
            socket.create_connection((server.address, 22), timeout=0.5)
    await asyncio.to_thread(daemon.up)

    assert daemon.info == machines_cloud
    await other.booted()
    # The other one is none of the API's, so it was left off.
    await bench.machines.power_on(web.number)
    await serving_again(web)
    for server in (web, other):
        assert await server.run("cat /root/kept") == "kept"
    await until(lambda: client_of(machines_cloud).servers.get_by_id(other.number).status == "running", "it is shown")
