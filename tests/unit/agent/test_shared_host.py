from __future__ import annotations

import subprocess
from pathlib import Path

from tests.unit.agent.server import Server


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
    assert ran.errors == "[clawdet:deployment] customer free-1: the shared host's edge proxy is not running\n"


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


def certified(server: Server, *names: str) -> Path:
    """Caddy's folder of certificates, with one for each name from each of two authorities."""
    docker = [str(server.bin / "docker"), "volume", "create", "clawdet-edge_certificates"]
    subprocess.run(docker, check=True)
    folder = Path(server.world["volumes"]["clawdet-edge_certificates"]["folder"]) / "caddy" / "certificates"
    for authority in ("acme-v02.api.letsencrypt.org-directory", "acme.zerossl.com-v2-dv90"):
        for name in names:
            (folder / authority / name).mkdir(parents=True)
            (folder / authority / name / f"{name}.key").write_text("a private key")
    return folder


def named(folder: Path) -> set[str]:
    return {file.name.removesuffix(".key") for file in folder.rglob("*.key")}


def test_a_removed_customers_key_does_not_stay_on_the_edge(server: Server) -> None:
    server.run(server.edge_payload())
    server.run(server.payload("free"))
    other = server.root / "clawdet-edge" / "sites" / "other.caddy"
    other.write_text("other.clawdet.test {\n\timport tenant other-proxy:8080\n}\n")
    folder = certified(server, "free-1.clawdet.test", "other.clawdet.test")
    assert server.remove(server.payload("free")).code == 0
    assert named(folder) == {"other.clawdet.test"}


def test_a_key_goes_also_where_the_edge_does_not_run(server: Server) -> None:
    server.run(server.edge_payload())
    server.run(server.payload("free"))
    folder = certified(server, "free-1.clawdet.test")
    world = server.world
    world["containers"][server.ids("clawdet-edge")["edge"]]["running"] = False
    server.change(containers=world["containers"])
    assert server.remove(server.payload("free")).code == 0
    assert named(folder) == set()


def test_the_key_of_a_name_that_a_customer_gives_up_goes_and_that_of_the_new_one_stays(server: Server) -> None:
    server.run(server.edge_payload())
    server.run(server.payload("free"))
    folder = certified(server, "free-1.clawdet.test", "renamed.clawdet.test")
    renamed = server.payload("free").replace("free-1.clawdet.test {", "renamed.clawdet.test {")
    assert server.run(renamed).code == 0
    assert named(folder) == {"renamed.clawdet.test"}


def test_a_new_edge_forgets_what_customers_left_on_the_old_one(server: Server) -> None:
    server.run(server.edge_payload())
    server.run(server.payload("free"))
    folder = certified(server, "free-1.clawdet.test", "long-gone.clawdet.test")
    assert server.run(server.edge_payload(proxy="proxy:2")).code == 0
    assert named(folder) == {"free-1.clawdet.test"}


def test_where_a_site_cannot_be_read_no_key_is_touched(server: Server) -> None:
    server.run(server.edge_payload())
    server.run(server.payload("free"))
    (server.root / "clawdet-edge" / "sites" / "by-hand.caddy").write_text("# mine\nmine.clawdet.test {\n}\n")
    folder = certified(server, "free-1.clawdet.test", "mine.clawdet.test")
    assert server.remove(server.payload("free")).code == 0
    assert named(folder) == {"free-1.clawdet.test", "mine.clawdet.test"}


def test_a_name_that_passes_between_two_customers_of_the_host_is_served_for_one_at_a_time(server: Server) -> None:
    server.run(server.edge_payload())
    server.run(server.payload("free"))
    sites = server.root / "clawdet-edge" / "sites"
    (sites / "other.caddy").write_text("other.clawdet.test {\n\timport tenant other-proxy:8080\n}\n")
    exchanged = server.payload("free").replace("free-1.clawdet.test {", "other.clawdet.test {")
    refused = server.run(exchanged.replace("import tenant", "refused"))
    assert refused.code == 1
    assert "other-proxy" in (sites / "other.caddy").read_text(), "it is taken back as a whole"
    assert server.run(exchanged).code == 0
    assert server.world["serving"] == {"free-1.caddy": "other.clawdet.test {\n\timport tenant free-1-proxy:8080\n}\n"}
    assert not (sites / "other.caddy").exists(), "two sites of one name, and the proxy would not start"
