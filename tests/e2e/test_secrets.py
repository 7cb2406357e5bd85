"""Planted secrets are searched for wherever they must not be, after an update that worked and one that failed."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import API_KEY, GATEWAY_TOKEN, TELEGRAM, BrokenUpdate
from tests.support.secrecy import found_in
from tests.support.server import Server
from tests.support.stack import wait_until

pytestmark = [pytest.mark.cloud, pytest.mark.engine, pytest.mark.timeout(900)]


def test_no_secret_is_printed(broken_update: BrokenUpdate) -> None:
    for text in broken_update.outputs:
        assert not found_in(text, broken_update.secrets), text


def test_no_secret_is_in_the_arguments_of_a_process(broken_update: BrokenUpdate) -> None:
    arguments = broken_update.processes.arguments
    assert any("pulumi" in one for one in arguments), "the watcher saw the update's processes"
    assert not found_in("\n".join(arguments), broken_update.secrets)


def test_no_secret_is_readable_in_the_state_or_its_backups(broken_update: BrokenUpdate) -> None:
    secrets = broken_update.secrets
    files = [path for path in (broken_update.stack.folder / "state").rglob("*") if path.is_file()]
    assert files, "there is a state to look at"
    for path in files:
        assert not found_in(path.read_text(errors="replace"), secrets), f"{path} has a secret in plain text"


def test_no_secret_is_in_a_file_on_the_server_but_the_env_file(broken_update: BrokenUpdate) -> None:
    stack = broken_update.stack
    server = Server(stack.folder, stack.outputs(), "canary")
    search = f"grep -rlE '{API_KEY}|{TELEGRAM}|{GATEWAY_TOKEN}'"
    holders = server.run(f"{search} /srv /etc /root /tmp /var/log /var/lib/cloud || true").split()
    environment = [path for path in holders if path.endswith("/.env")]
    assert environment, "the gateway gets its secrets from somewhere"
    for path in environment:
        assert server.run(f"stat -c %a {path}").strip() == "600"
    if others := " ".join(set(holders) - set(environment)):
        # While Docker starts a process in a container, runc has its environment in a file of root's.
        wait_until(lambda: not server.run(f"{search} {others} || true"), seconds=30, what=f"no secret is in {others}")


def test_the_metadata_of_the_server_at_hetzner_has_no_customer_secret(broken_update: BrokenUpdate) -> None:
    resources = broken_update.stack.export()["deployment"]["resources"]
    servers = [one for one in resources if one["type"] == "hcloud:index/server:Server"]
    assert servers
    for server in servers:
        assert not found_in(str(server), broken_update.secrets)
