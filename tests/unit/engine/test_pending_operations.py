"""What a killed update leaves behind: pending creations."""

import pytest

from clawdet_infra.engine.pending_operations import PendingCreate, adopt, pending_creates

SERVER = "urn:pulumi:prod::clawdet::clawdet:index:Customer$clawdet:index:Server$hcloud:index/server:Server::ada-server"
RECORD = "urn:pulumi:prod::clawdet::clawdet:index:Customer$hcloud:index/zoneRrset:ZoneRrset::ada-dns-a"


def operation(urn: str, kind: str, inputs: dict, operation_type: str = "creating") -> dict:
    return {"type": operation_type, "resource": {"urn": urn, "type": kind, "inputs": inputs}}


def exported(*operations: dict) -> dict:
    return {"version": 3, "deployment": {"resources": [], "pending_operations": list(operations)}}


def test_pending_creations_at_hetzner_are_found_with_what_finds_them_again() -> None:
    state = exported(
        operation(SERVER, "hcloud:index/server:Server", {"name": "prod-ada", "image": "debian-13"}),
        operation(RECORD, "hcloud:index/zoneRrset:ZoneRrset", {"zone": "clawdet.com", "name": "ada", "type": "A"}),
    )
    assert pending_creates(state) == [
        PendingCreate(urn=SERVER, type="hcloud:index/server:Server", name="prod-ada"),
        PendingCreate(
            urn=RECORD, type="hcloud:index/zoneRrset:ZoneRrset", name="ada", zone="clawdet.com", record_type="A"
        ),
    ]


@pytest.mark.parametrize("operation_type", ["updating", "deleting", "reading"])
def test_other_pending_operations_are_no_business_of_ours(operation_type: str) -> None:
    state = exported(operation(SERVER, "hcloud:index/server:Server", {"name": "prod-ada"}, operation_type))
    assert pending_creates(state) == [], "the engine repeats these by itself, and they make nothing new"


def test_pending_random_values_and_commands_are_simply_made_again() -> None:
    urn = "urn:pulumi:prod::clawdet::random:index/randomBytes:RandomBytes::ada-token"
    assert pending_creates(exported(operation(urn, "random:index/randomBytes:RandomBytes", {"length": 32}))) == []


@pytest.mark.parametrize("state", [{}, {"deployment": {}}, {"deployment": {"pending_operations": None}}])
def test_a_state_without_pending_operations_has_none(state: dict) -> None:
    assert pending_creates(state) == []


def test_what_was_made_becomes_a_resource_with_its_id_behind_all_others() -> None:
    inputs = {"name": "prod-ada", "userData": {"ciphertext": "v1:…"}}
    state = exported(operation(SERVER, "hcloud:index/server:Server", inputs))
    state["deployment"]["resources"] = [{"urn": "urn:of:its:parent"}]
    adopted = adopt(state, {SERVER: "4711"})["deployment"]
    assert [one["urn"] for one in adopted["resources"]] == ["urn:of:its:parent", SERVER]
    assert adopted["resources"][1]["id"] == "4711"
    assert adopted["resources"][1]["inputs"] == inputs, "what it was made from is kept, encrypted as it was"
    assert adopted["pending_operations"] == []


def resource(urn: str, **more: object) -> dict:
    return {"urn": urn, "type": "hcloud:index/zoneRrset:ZoneRrset", "id": "ada/A", **more}


@pytest.mark.parametrize("deleted_before", [False, True])
def test_what_was_made_takes_the_place_of_what_it_replaces(deleted_before: bool) -> None:
    """The engine refuses a state that has a URN twice, or that has a resource before what it depends on."""
    state = exported(operation(RECORD, "hcloud:index/zoneRrset:ZoneRrset", {"name": "new", "type": "A"}))
    state["deployment"]["pending_operations"][0]["resource"]["dependencies"] = ["new server"]
    old = resource(RECORD, **({"pendingReplacement": True} if deleted_before else {}))
    deployment = resource("deployment", id="", dependencies=[RECORD])
    gone = resource("gone", id="gone/A", delete=True)
    state["deployment"]["resources"] = [
        resource("parent", id=""),
        old,
        gone,
        deployment,
        resource("new server", id="7"),
    ]
    made = adopt(state, {RECORD: "new/A"})["deployment"]["resources"]
    there = [(one["urn"], one.get("id")) for one in made if not one.get("delete")]
    assert sorted(there) == [("deployment", ""), ("new server", "7"), ("parent", ""), (RECORD, "new/A")]
    urns = [urn for urn, _ in there]
    assert urns.index("new server") < urns.index(RECORD) < urns.index("deployment")
    deleted = [(one["urn"], one["id"]) for one in made[len(there) :]]
    assert deleted == [("gone", "gone/A"), *([] if deleted_before else [(RECORD, "ada/A")])]


def test_what_the_state_has_already_was_not_made_by_a_creation_of_the_same_name() -> None:
    state = exported(operation(RECORD, "hcloud:index/zoneRrset:ZoneRrset", {"name": "ada", "type": "A"}))
    state["deployment"]["resources"] = [resource(RECORD)]
    adopted = adopt(state, {RECORD: "ada/A"})["deployment"]
    assert adopted["resources"] == [resource(RECORD)]
    assert adopted["pending_operations"] == []


def test_what_was_not_made_is_no_longer_pending_and_other_operations_stay() -> None:
    state = exported(
        operation(SERVER, "hcloud:index/server:Server", {"name": "prod-ada"}),
        operation(RECORD, "hcloud:index/zoneRrset:ZoneRrset", {}, "deleting"),
    )
    adopted = adopt(state, {})["deployment"]
    assert adopted["resources"] == []
    assert [one["type"] for one in adopted["pending_operations"]] == ["deleting"]


def test_the_customer_is_readable_from_a_pending_creation() -> None:
    assert PendingCreate(urn=SERVER, type="", name="").logical_name == "ada-server"
