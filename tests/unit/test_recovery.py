"""What a killed update leaves behind: locks and pending creations."""

import json
import os
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clawdet_infra.recovery import PendingCreate, adopt, pending_creates, read_locks, remove_broken_attributes

SERVER = "urn:pulumi:prod::clawdet::clawdet:index:Customer$clawdet:index:Server$hcloud:index/server:Server::ada-server"
RECORD = "urn:pulumi:prod::clawdet::clawdet:index:Customer$hcloud:index/zoneRrset:ZoneRrset::ada-dns-a"


def operation(urn: str, kind: str, inputs: dict, operation_type: str = "creating") -> dict:
    return {"type": operation_type, "resource": {"urn": urn, "type": kind, "inputs": inputs}}


def exported(*operations: dict) -> dict:
    return {"version": 3, "deployment": {"resources": [], "pending_operations": list(operations)}}


def write_lock(backend: Path, *, pid: int, hostname: str, taken: datetime) -> Path:
    folder = backend / ".pulumi" / "locks" / "organization" / "clawdet" / "prod"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "5f0c.json"
    # Nine digits of a second, as Go prints them.
    timestamp = taken.strftime("%Y-%m-%dT%H:%M:%S.%f") + "123Z"
    path.write_text(json.dumps({"pid": pid, "username": "op", "hostname": hostname, "timestamp": timestamp}))
    return path


@pytest.fixture
def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


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


def test_a_lock_of_a_process_that_is_gone_is_dead(tmp_path: Path, dead_pid: int) -> None:
    write_lock(tmp_path, pid=dead_pid, hostname=socket.gethostname(), taken=datetime.now(UTC))
    [lock] = read_locks(f"file://{tmp_path}", "clawdet", "prod")
    assert lock.dead


def test_a_lock_of_a_living_process_is_respected(tmp_path: Path) -> None:
    write_lock(tmp_path, pid=os.getpid(), hostname=socket.gethostname(), taken=datetime.now(UTC))
    [lock] = read_locks(f"file://{tmp_path}", "clawdet", "prod")
    assert not lock.dead, "taking the lock of a running update would corrupt its state"


def test_a_lock_whose_process_number_was_used_again_is_dead(tmp_path: Path) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=365)
    write_lock(tmp_path, pid=os.getpid(), hostname=socket.gethostname(), taken=long_ago)
    [lock] = read_locks(f"file://{tmp_path}", "clawdet", "prod")
    assert lock.dead, "this process began long after the lock was written, so it did not write it"


def test_a_lock_of_another_machine_is_never_called_dead(tmp_path: Path, dead_pid: int) -> None:
    write_lock(tmp_path, pid=dead_pid, hostname="another-machine", taken=datetime.now(UTC))
    [lock] = read_locks(f"file://{tmp_path}", "clawdet", "prod")
    assert not lock.dead, "whether a process runs elsewhere cannot be seen from here"


def test_the_address_of_a_backend_may_carry_options(tmp_path: Path) -> None:
    write_lock(tmp_path, pid=os.getpid(), hostname=socket.gethostname(), taken=datetime.now(UTC))
    assert len(read_locks(f"file://{tmp_path}?metadata=skip", "clawdet", "prod")) == 1


def test_attributes_that_stop_in_the_middle_are_removed(tmp_path: Path) -> None:
    folder = tmp_path / ".pulumi/stacks/clawdet"
    folder.mkdir(parents=True)
    contents = {
        "prod.json": "",
        "prod.json.attrs": "",
        "prod.json.bak.attrs": '{"user.content_type":',
        "local.json.attrs": "",
    }
    for name, content in contents.items():
        (folder / name).write_text(content)
    (folder / "prod.json.gz.attrs").write_text('{"user.content_type": "application/gzip"}')

    removed = remove_broken_attributes(f"file://{tmp_path}", "clawdet", "prod")

    assert [path.name for path in removed] == ["prod.json.attrs", "prod.json.bak.attrs"]
    assert sorted(path.name for path in folder.iterdir()) == ["local.json.attrs", "prod.json", "prod.json.gz.attrs"]
    assert remove_broken_attributes("s3://bucket", "clawdet", "prod") == []


def test_locks_of_other_stacks_and_backends_are_not_read(tmp_path: Path) -> None:
    write_lock(tmp_path, pid=os.getpid(), hostname=socket.gethostname(), taken=datetime.now(UTC))
    assert read_locks(f"file://{tmp_path}", "clawdet", "local") == []
    assert read_locks("s3://bucket", "clawdet", "prod") == []
