"""Customers who share a host: each behind one edge proxy, none reaching another."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from clawdet_infra.layout import CustomerLayout
from clawdet_infra.probe import probe_until_healthy
from tests.contract.deploy.place import Place, secrets, token
from tests.support.gateway import invoke, is_open, websocket

pytestmark = pytest.mark.cloud


@pytest.fixture
def anna(shared: Place) -> CustomerLayout:
    return shared.customer("anna")


@pytest.fixture
def bert(shared: Place) -> CustomerLayout:
    return shared.customer("bert")


async def healthy(place: Place, customer: CustomerLayout) -> None:
    outcome = await probe_until_healthy(place.target(customer))
    assert outcome.verdict.healthy, outcome.verdict.failure


async def test_each_customer_is_healthy_seen_from_outside(
    shared: Place, anna: CustomerLayout, bert: CustomerLayout
) -> None:
    await healthy(shared, anna)
    await healthy(shared, bert)


def test_one_customers_token_does_not_open_anothers_gateway(
    shared: Place, anna: CustomerLayout, bert: CustomerLayout
) -> None:
    answers = {
        (one.id, other): invoke(one.url, shared.address, shared.cloud["ca"], token(other)).status
        for one in (anna, bert)
        for other in ("anna", "bert")
    }
    assert answers == {("anna", "anna"): 200, ("anna", "bert"): 401, ("bert", "anna"): 401, ("bert", "bert"): 200}


def test_containers_know_no_secret_of_another_customer(shared: Place) -> None:
    for owner, others in (("anna", ["bert"]), ("bert", ["anna"]), ("clawdet-edge", ["anna", "bert"])):
        named = f"docker ps --quiet --filter label=com.docker.compose.project={owner}"
        seen = shared.run(f"{named} | xargs docker inspect")
        assert owner in seen
        for other in others:
            for name, secret in secrets(other).items():
                forms = (secret, base64.b64encode(secret.encode()).decode().rstrip("="))
                assert not any(form in seen for form in forms), f"{owner} knows the {name} of {other}"


def addresses(place: Place, container: str) -> list[str]:
    (one,) = place.inspect(container)
    return [network["IPAddress"] for network in one["NetworkSettings"]["Networks"].values()]


def test_no_customer_reaches_another(shared: Place) -> None:
    ask = "curl --silent --max-time 4 --output /dev/null"
    (gateway,) = addresses(shared, "bert-gateway-1")
    targets = [f"http://{gateway}:18789/healthz"]
    targets += [f"http://{address}:8080/healthz" for address in addresses(shared, "bert-proxy-1")]
    knocks = []
    for url in targets:
        address, port = url.split("/")[2].split(":")
        knocks += [f"docker exec anna-proxy-1 nc -w 4 {address} {port} -e true"]
    from_server = [f"{ask} {url}" for url in targets]
    from_gateway = [f"docker exec anna-gateway-1 {ask} {url}" for url in targets]
    by_name = f"docker exec anna-gateway-1 {ask} http://bert-proxy:8080/healthz"
    codes = shared.codes([*from_server, *from_gateway, *knocks, by_name])
    assert {codes[one] for one in from_server} == {0}, f"the server reaches it, so something listens: {codes}"
    assert {codes[one] for one in from_gateway} == {28}, f"it has to be out of reach: {codes}"
    assert all(codes[one] != 0 for one in [*knocks, by_name]), codes


def test_the_edge_reaches_proxies_and_no_gateway(shared: Place) -> None:
    (gateway,) = addresses(shared, "anna-gateway-1")
    (edge_network,) = shared.inspect("anna-proxy-1")
    proxy = edge_network["NetworkSettings"]["Networks"]["anna_edge"]["IPAddress"]
    knock = "docker exec clawdet-edge-edge-1 nc -w 4"
    assert shared.ssh(f"{knock} {proxy} 8080 -e true").code == 0
    assert shared.ssh(f"{knock} {gateway} 18789 -e true").code != 0


def test_only_the_edge_is_published(shared: Place) -> None:
    names = shared.run("docker ps --format '{{.Names}}'").split()
    published = {
        one["Name"].strip("/") for one in shared.inspect(*names) if any(one["NetworkSettings"]["Ports"].values())
    }
    assert published == {"clawdet-edge-edge-1"}


async def test_a_new_edge_serves_the_customers_that_are_there_and_restarts_none(
    shared: Place, anna: CustomerLayout, bert: CustomerLayout
) -> None:
    before = [shared.started("anna"), shared.started("bert"), shared.started("clawdet-edge")]

    def another(compose: dict[str, Any]) -> None:
        compose["services"]["edge"]["environment"]["GOMEMLIMIT"] = "401MiB"

    ran = shared.deploy(shared.edge_payload(compose=another))
    assert ran.code == 0, ran.errors
    assert [shared.started("anna"), shared.started("bert")] == before[:2]
    assert shared.started("clawdet-edge") != before[2]
    await healthy(shared, anna)
    await healthy(shared, bert)


def test_another_configuration_of_the_edge_ends_no_connection(shared: Place, anna: CustomerLayout) -> None:
    shared.must_deploy(shared.edge_payload())
    before = shared.started("clawdet-edge")
    with websocket(shared.address, anna.fqdn, shared.cloud["ca"]) as connection:
        ran = shared.deploy(shared.edge_payload(email="other@deploy.test"))
        assert ran.code == 0, ran.errors
        assert is_open(connection)
    assert shared.started("clawdet-edge") == before
    volume = "docker exec clawdet-edge-edge-1 wget -q -O - http://127.0.0.1:2019/config/apps/tls"
    assert "other@deploy.test" in shared.run(volume)


async def test_a_name_passes_from_one_customer_of_the_host_to_another(
    shared: Place, anna: CustomerLayout, bert: CustomerLayout
) -> None:
    # The other one's deployment, which brings that one's own new name, may come later.
    taken = shared.payload(anna).replace(f"{anna.fqdn} {{", f"{bert.fqdn} {{")
    try:
        ran = shared.deploy(taken)
        assert ran.code == 0, ran.errors
        assert invoke(bert.url, shared.address, shared.cloud["ca"], token("anna")).status == 200
        assert invoke(bert.url, shared.address, shared.cloud["ca"], token("bert")).status == 401
    finally:
        for one in (anna, bert):
            shared.must_deploy(shared.payload(one))
    await healthy(shared, bert)


def left_on(place: Place) -> str:
    """All that a customer could leave on a server, in words."""
    return place.run(
        "docker ps -a; docker volume ls; docker network ls; ls /srv/clawdet /srv/clawdet/clawdet-edge/sites"
    )


def certified(place: Place) -> set[str]:
    """The names that the edge keeps a private key for."""
    volume = place.run("docker volume inspect --format '{{.Mountpoint}}' clawdet-edge_certificates").strip()
    files = place.run(f"find {volume}/caddy/certificates -name '*.key' -printf '%f\\n'")
    return {file.removesuffix(".key") for file in files.split()}


async def test_a_customer_goes_with_all_their_data_and_comes_back_without(
    shared: Place, anna: CustomerLayout, bert: CustomerLayout
) -> None:
    before = shared.started("bert"), shared.started("clawdet-edge")
    assert "anna_state" in left_on(shared)
    assert certified(shared) >= {anna.fqdn, bert.fqdn}
    shared.run("docker exec anna-gateway-1 sh -c 'echo secret > /home/node/.openclaw/kept'")
    ran = shared.remove(shared.payload(anna))
    assert ran.code == 0, ran.errors
    assert json.loads(ran.output)["removed"] == "customer anna"
    assert "anna" not in left_on(shared)
    assert anna.fqdn not in certified(shared)
    assert bert.fqdn in certified(shared)
    assert (shared.started("bert"), shared.started("clawdet-edge")) == before
    await healthy(shared, bert)
    again = shared.deploy(shared.payload(anna))
    assert again.code == 0, again.errors
    assert shared.ssh("docker exec anna-gateway-1 cat /home/node/.openclaw/kept").code != 0
    await healthy(shared, anna)


async def test_a_first_release_that_does_not_start_is_named_and_removed_without_a_trace(
    shared: Place, anna: CustomerLayout, bert: CustomerLayout
) -> None:
    cora = shared.customer("cora")
    before = [shared.started(one) for one in ("anna", "bert", "clawdet-edge")]
    # Caddy's image starts, but it is not a gateway.
    payload = shared.payload(cora, gateway=shared.images.proxy)
    ran = shared.deploy(payload)
    assert ran.code == 1
    assert ran.errors.count("\n") == 1
    assert ran.errors.startswith("[clawdet:not-ready] customer cora: probe restarts failed: gateway does not stay up; ")
    assert "node: not found" in ran.errors
    assert "is back" not in ran.errors, "nothing ran before"
    assert [shared.started(one) for one in ("anna", "bert", "clawdet-edge")] == before
    assert shared.remove(payload).code == 0
    assert "cora" not in left_on(shared)
    await healthy(shared, anna)
    await healthy(shared, bert)


def test_a_shared_host_has_addresses_for_more_networks_than_docker_has_by_itself(shared: Place) -> None:
    try:
        shared.run("for n in $(seq 31); do docker network create full-$n > /dev/null || exit 1; done")
        used = shared.run(
            "docker network inspect --format '{{(index .IPAM.Config 0).Subnet}}' full-1 full-31 anna_edge"
        )
        assert all(one.endswith("/26") for one in used.split()), used
    finally:
        shared.run("docker network ls --quiet --filter name=full- | xargs --no-run-if-empty docker network rm")
