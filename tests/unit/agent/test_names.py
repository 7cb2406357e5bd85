"""No name that is made from one customer's id is ever another's, and what is called alike is never touched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from hypothesis import assume, example, given
from hypothesis import strategies as st

from clawdet_infra import render
from clawdet_infra.agent import names
from clawdet_infra.config import ConfigurationError, load_fleet
from clawdet_infra.layout import CustomerLayout, plan_layout
from clawdet_infra.render.bundle import COMPOSE_FILE
from tests.unit.agent.server import Server
from tests.unit.render.examples import PINNED, raw_fleet

_WORDS = """
1 a acme aaaa browser caddy certificates data default deployment dns edge gateway health host key lock namespace network
preflight proxy release restored server shared site state token trial volume
"""
WORDS = _WORDS.split()
JOINS = ("-", ".", "--")


def words() -> st.SearchStrategy[str]:
    joined = st.tuples(st.sampled_from(WORDS), st.sampled_from(JOINS), st.sampled_from(WORDS)).map("".join)
    return st.one_of(st.sampled_from(WORDS), joined)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[str, str]:
    """Two ids; often one of them is the other with something added."""
    first = draw(words())
    added = draw(st.sampled_from(JOINS)) + draw(words())
    return first, draw(st.one_of(st.just(first + added), st.just(added.strip("-.") + "-" + first), words()))


def derived(customer: CustomerLayout) -> Iterator[tuple[str, str]]:
    """What is called by a name that is made from a customer's id: in which namespace, and the name."""
    bundle = render.bundle(customer, images=PINNED, acme_email="ops@clawdet.test")
    compose = yaml.safe_load(bundle.files[COMPOSE_FILE].content)
    edge = json.loads(render.payload(customer, bundle, ""))["edge"]
    yield "folder", customer.directory
    yield "lock", names.lock(customer.slug)
    if customer.server is not None:
        yield "server", customer.server_name
    if edge is not None:
        yield "site", edge["file"]
        yield "network", edge["network"]
    for project in (customer.slug, names.preflight(customer.slug)):
        yield "project", project
        for volume, what in compose["volumes"].items():
            yield "volume", (what or {}).get("name") or names.owned(project, volume)
        for network in {"default", *compose.get("networks", ())}:
            yield "network", names.owned(project, network)
        for service, what in compose["services"].items():
            # Docker resolves containers' names and aliases alike.
            yield "container", f"{project}-{service}-1"
            networks = what.get("networks")
            for one in networks.values() if isinstance(networks, dict) else ():
                for alias in one.get("aliases", ()):
                    if alias != "gateway":
                        yield "container", alias


@example(ids=("acme", "acme-trial"), plans=("free", "free"))
@example(ids=("acme", "acme.preflight"), plans=("pro", "enterprise"))
@given(ids=pairs(), plans=st.tuples(*[st.sampled_from(["free", "pro", "enterprise"])] * 2))
def test_no_derived_name_of_a_customer_is_any_of_anothers(ids: tuple[str, str], plans: tuple[str, str]) -> None:
    key = {"anthropicApiKey": "sk-ant-canary-0123456789-abcdefghij"}
    raw = raw_fleet()
    raw["customers"] = [
        {"id": one, "plan": plan, "subdomain": f"s{number}", **key}
        for number, (one, plan) in enumerate(zip(ids, plans, strict=True))
    ]
    try:
        first, second = plan_layout(load_fleet(raw)).customers
    except ConfigurationError:
        assume(False)
    assert not set(derived(first)) & set(derived(second))
    # Locks and folders of no customer begin with a dot, and the fleet's own project is no id.
    assert not {name for _, name in derived(first)} & {names.lock(one) for one in (".edge", ".guard", ".trial")}


def test_a_customer_called_like_anothers_preflight_keeps_all_it_has(server: Server) -> None:
    other = server.payload(id="pro-1-trial")
    assert server.run(other).code == 0
    before = server.world
    conversation = Path(before["volumes"]["pro-1-trial_state"]["folder"]) / "conversation"
    conversation.write_text("precious")
    for payload in (server.payload(), server.payload(gateway="gateway:2")):
        assert server.run(payload).code == 0
    assert server.remove(server.payload()).code == 0
    after = server.world
    for kind in ("containers", "volumes", "networks"):
        assert after[kind] == before[kind]
    assert conversation.read_text() == "precious"


def leftover(server: Server) -> str:
    """What a killed preflight of an older release left: a container of `pro-1` under a name that others may have."""
    project, made = "pro-1-trial", f"c{server.world['made'] + 1}"
    world = server.world
    folder = server.bin / "volumes" / f"{project}_state" / "_data"
    folder.mkdir(parents=True, exist_ok=True)
    labels = {"com.docker.compose.project": project}
    world["volumes"].setdefault(f"{project}_state", {"labels": labels, "folder": str(folder)})
    network = world["networks"].setdefault(f"{project}_default", {"labels": labels, "members": []})
    network["members"].append(made)
    world["containers"][made] = {
        "project": project,
        "service": "gateway",
        "image": "gateway:1",
        "settings": "{}",
        "running": True,
        "restart": "no",
        "volumes": [f"{project}_state"],
        "labels": {
            **labels,
            "com.docker.compose.project.working_dir": str(server.root / "pro-1"),
            "com.docker.compose.service": "gateway",
        },
    }
    server.change(**{**world, "made": world["made"] + 1})
    return made


def test_what_an_older_releases_preflight_left_is_removed(server: Server) -> None:
    assert server.run(server.payload()).code == 0
    before = server.world
    leftover(server)
    assert server.run(server.payload()).code == 0
    after = server.world
    for kind in ("containers", "volumes", "networks"):
        assert after[kind] == before[kind]


def test_beside_a_customer_of_its_name_only_the_old_preflights_container_is_removed(server: Server) -> None:
    assert server.run(server.payload()).code == 0
    assert server.run(server.payload(id="pro-1-trial")).code == 0
    before = server.world
    leftover(server)
    assert server.remove(server.payload()).code == 0
    after = server.world
    mine = {name: one for name, one in before["containers"].items() if one["project"] == "pro-1-trial"}
    assert after["containers"] == mine
    assert set(after["volumes"]) == {one for one in before["volumes"] if one.startswith("pro-1-trial_")}
    assert set(after["networks"]) == {"pro-1-trial_default"}


def test_a_new_customer_does_not_begin_with_the_data_of_anothers_old_preflight(server: Server) -> None:
    assert server.run(server.payload()).code == 0
    leftover(server)
    (Path(server.world["volumes"]["pro-1-trial_state"]["folder"]) / "left").write_text("by the preflight")
    assert server.run(server.payload(id="pro-1-trial")).code == 0
    assert not (Path(server.world["volumes"]["pro-1-trial_state"]["folder"]) / "left").exists()


def foreign(server: Server) -> dict[str, Any]:
    """Make what somebody else has on the server: a Compose project that is called as a customer's would be."""
    leftover(server)
    world = server.world
    [name] = [name for name, one in world["containers"].items() if one["project"] == "pro-1-trial"]
    world["containers"][name]["labels"]["com.docker.compose.project.working_dir"] = "/opt/theirs"
    server.change(**world)
    return server.world


def test_a_project_of_somebody_else_is_neither_taken_over_nor_removed(server: Server) -> None:
    theirs = foreign(server)
    payload = server.payload(id="pro-1-trial")
    ran = server.run(payload)
    assert ran.code == 1
    assert "has a Compose project pro-1-trial already, in another folder than" in ran.errors
    assert server.remove(payload).code == 0
    for kind in ("containers", "volumes", "networks"):
        assert server.world[kind] == theirs[kind]
