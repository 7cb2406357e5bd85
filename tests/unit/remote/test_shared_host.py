from __future__ import annotations

from tests.unit.remote.server import Server


def members(server: Server, network: str) -> set[str]:
    names = {name: one["service"] for name, one in server.world["containers"].items()}
    return {names[name] for name in server.world["networks"][network]["members"]}


def test_a_customer_is_joined_to_the_edge_and_served(server: Server) -> None:
    assert server.run(server.edge_payload()).code == 0
    ran = server.run(server.payload("free"))
    assert ran.code == 0, ran.errors
    assert members(server, "free-1_edge") == {"proxy", "edge"}
    assert members(server, "free-1_default") == {"proxy", "gateway"}, "the edge must not reach the gateway itself"
    assert server.world["serving"] == {"free-1.caddy": "free-1.clawdet.test {\n\timport tenant free-1-proxy:8080\n}\n"}


def test_without_an_edge_a_customers_deployment_says_so(server: Server) -> None:
    ran = server.run(server.payload("free"))
    assert ran.code == 1
    assert ran.errors == "customer free-1: the shared host's edge proxy is not running\n"


def test_a_new_edge_is_joined_to_the_customers_that_are_there(server: Server) -> None:
    server.run(server.edge_payload())
    server.run(server.payload("free"))
    before = server.ids("clawdet-edge")
    customer = server.ids("free-1")
    ran = server.run(server.edge_payload(proxy="proxy:2"))
    assert ran.code == 0, ran.errors
    assert server.ids("clawdet-edge") != before
    assert members(server, "free-1_edge") == {"proxy", "edge"}
    assert set(server.world["serving"]) == {"free-1.caddy"}
    assert server.ids("free-1") == customer


def test_a_site_that_the_edge_refuses_is_taken_back(server: Server) -> None:
    server.run(server.edge_payload())
    good = server.payload("free")
    server.run(good)
    ran = server.run(good.replace("import tenant", "refused"))
    assert ran.code == 1
    assert "the edge proxy refused the customer's site" in ran.errors
    assert "import tenant" in (server.root / "clawdet-edge/sites/free-1.caddy").read_text()
    assert server.run(server.edge_payload()).code == 0, "the edge still starts"


def test_a_removed_customer_leaves_the_edge_and_the_others_alone(server: Server) -> None:
    server.run(server.edge_payload())
    server.run(server.payload("free"))
    edge = server.ids("clawdet-edge")
    assert server.remove(server.payload("free")).code == 0
    world = server.world
    assert world["serving"] == {}
    assert not (server.root / "clawdet-edge/sites/free-1.caddy").exists()
    assert not [name for name in world["networks"] if name.startswith("free-1")]
    assert server.ids("clawdet-edge") == edge


def test_a_customer_is_removed_also_where_the_edge_is_gone(server: Server) -> None:
    server.run(server.edge_payload())
    server.run(server.payload("free"))
    world = server.world
    edge = server.ids("clawdet-edge")["edge"]
    del world["containers"][edge]
    for network in world["networks"].values():
        network["members"] = [one for one in network["members"] if one != edge]
    server.change(containers=world["containers"], networks=world["networks"])
    ran = server.remove(server.payload("free"))
    assert ran.code == 0, ran.errors
    assert not server.ids("free-1")
