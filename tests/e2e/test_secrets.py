"""Planted secrets are searched for wherever they must not be, after an update that worked and one that failed."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import BrokenUpdate
from tests.support.secrecy import found_in

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


def test_the_metadata_of_the_server_at_hetzner_has_no_customer_secret(broken_update: BrokenUpdate) -> None:
    resources = broken_update.stack.export()["deployment"]["resources"]
    servers = [one for one in resources if one["type"] == "hcloud:index/server:Server"]
    assert servers
    for server in servers:
        assert not found_in(str(server), broken_update.secrets)
