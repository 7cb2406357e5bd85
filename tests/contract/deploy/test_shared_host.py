"""Customers who share a host: each behind one edge proxy, none reaching another."""

from __future__ import annotations

import json

import pytest

from clawdet_infra.fleet.probe import probe_until_healthy
from clawdet_infra.layout import CustomerLayout
from tests.contract.deploy.place import Place

pytestmark = pytest.mark.cloud


@pytest.fixture
def anna(shared: Place) -> CustomerLayout:
    return shared.layout.customers[0]


@pytest.fixture
def bert(shared: Place) -> CustomerLayout:
    return shared.layout.customers[1]


async def healthy(place: Place, customer: CustomerLayout) -> None:
    outcome = await probe_until_healthy(place.target(customer))
    assert outcome.verdict.healthy, outcome.verdict.failure


async def test_each_customer_is_healthy_seen_from_outside(
    shared: Place, anna: CustomerLayout, bert: CustomerLayout
) -> None:
    await healthy(shared, anna)
    await healthy(shared, bert)


def addresses(place: Place, container: str) -> list[str]:
    (one,) = place.inspect(container)
    return [network["IPAddress"] for network in one["NetworkSettings"]["Networks"].values()]


def test_no_customer_reaches_another(shared: Place) -> None:
    ask = "curl --silent --max-time 4 --output /dev/null"
    (gateway,) = addresses(shared, "bert-gateway-1")
    targets = [f"http://{gateway}:18789/healthz"]
    targets += [f"http://{address}:8080/healthz" for address in addresses(shared, "bert-proxy-1")]
    for url in targets:
        assert shared.ssh(f"{ask} {url}").code == 0, "the server itself reaches it, so something listens"
        assert shared.ssh(f"docker exec anna-gateway-1 {ask} {url}").code == 28, f"{url} has to be out of reach"
        port = url.split(":")[2].split("/")[0]
        address = url.split("/")[2].split(":")[0]
        assert shared.ssh(f"docker exec anna-proxy-1 nc -w 4 {address} {port} -e true").code != 0
    assert shared.ssh(f"docker exec anna-gateway-1 {ask} http://bert-proxy:8080/healthz").code != 0


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
    ran = shared.deploy(shared.edge_payload(email="other@deploy.test"))
    assert ran.code == 0, ran.errors
    assert [shared.started("anna"), shared.started("bert")] == before[:2]
    assert shared.started("clawdet-edge") != before[2]
    await healthy(shared, anna)
    await healthy(shared, bert)


async def test_a_customer_goes_with_all_their_data_and_comes_back_without(
    shared: Place, anna: CustomerLayout, bert: CustomerLayout
) -> None:
    before = shared.started("bert"), shared.started("clawdet-edge")
    shared.run("docker exec anna-gateway-1 sh -c 'echo secret > /home/node/.openclaw/kept'")
    ran = shared.remove(shared.payload(anna))
    assert ran.code == 0, ran.errors
    assert json.loads(ran.output)["removed"] == "customer anna"
    left = shared.run(
        "docker ps -a; docker volume ls; docker network ls; ls /srv/clawdet /srv/clawdet/clawdet-edge/sites"
    )
    assert "anna" not in left
    assert (shared.started("bert"), shared.started("clawdet-edge")) == before
    await healthy(shared, bert)
    again = shared.deploy(shared.payload(anna))
    assert again.code == 0, again.errors
    assert shared.ssh("docker exec anna-gateway-1 cat /home/node/.openclaw/kept").code != 0
    await healthy(shared, anna)
