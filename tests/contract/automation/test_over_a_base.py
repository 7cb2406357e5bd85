"""The library and `clawdet up` with the real engine: cells without a stack, and servers that change behind its back."""

from __future__ import annotations

from typing import Any

import pytest
from hcloud.servers import BoundServer

from clawdet_infra.automation import BusyError
from clawdet_infra.catalog import Catalog, Lease, Phase
from tests.contract.automation.conftest import CARA, CELL, OverBase, signup
from tests.contract.hcloud_api.making import off

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("automation"), pytest.mark.timeout(300)]


def server_of(over_base: OverBase, name: str) -> BoundServer:
    found = over_base.cloud.client().servers.get_by_name(name)
    assert found is not None
    return found


def delete(server: BoundServer) -> None:
    """Delete a server as somebody does in the provider's console."""
    server.change_protection(delete=False, rebuild=False).wait_until_finished()
    server.delete().wait_until_finished()


def test_a_preview_makes_no_stack(over_base: OverBase) -> None:
    with Catalog.open() as registry:
        lease = registry.acquire(f"cell:{CELL}", 60)
        assert isinstance(lease, Lease)
        with pytest.raises(BusyError):
            over_base.fleet.provision(signup("ada"), deadline=0.1)
        registry.release(lease)
    shown = over_base.clawdet("preview", "-s", CELL)
    assert shown.code == 0, shown.output
    assert "ada" in shown.output
    assert over_base.stacks() == ["base"]
    assert over_base.fleet.provision(signup("ada")).success
    assert over_base.stacks() == ["base", CELL]


def test_a_customer_who_signed_up_goes_to_a_larger_type_and_back_and_leaves_without_a_server(
    over_base: OverBase,
) -> None:
    fleet = over_base.fleet
    for plan, kind in (("pro", "cx23"), ("enterprise", "cx33"), ("pro", "cx23")):
        assert fleet.provision(signup("bob", plan)).success
        server = server_of(over_base, "bob")
        assert (server.server_type.name, server.status, server.primary_disk_size) == (kind, "running", 40)

    off(server)
    rows = {one.id: one for one in fleet.update(CELL)}
    assert rows["bob"].phase == Phase.FAILED
    assert "clawdet power on bob" in rows["bob"].error
    switched = over_base.clawdet("power", "on", "bob")
    assert switched.code == 0, switched.output
    assert server_of(over_base, "bob").status == "running"

    # The engine keeps what it needs for the cell's secrets in a file that the program is not configured by.
    over_base.stack.pulumi("refresh", "--stack", CELL, "--yes", "--skip-preview").ok()
    assert over_base.stack.folder.joinpath(f"Pulumi.{CELL}.yaml").exists()
    assert over_base.clawdet("preview", "-s", CELL, "--full").code == 0

    delete(server_of(over_base, "bob"))
    assert fleet.deprovision("bob").existed
    names = {one["name"] for one in over_base.cloud.call("GET", "/zones/clawdet.test/rrsets").json()["rrsets"]}
    assert "bob" not in names
    assert "bob" not in over_base.servers()


def test_a_listed_customers_server_is_not_shrunk_nor_left_off_and_does_not_hinder_its_removal(
    over_base: OverBase,
) -> None:
    over_base.settings(customers=[{**CARA, "plan": "pro"}])
    for command in (("preview",), ("up", "--yes")):
        refused = over_base.clawdet(*command, "-s", "base")
        assert refused.code == 5, refused.output
        assert "cara-server cannot become a cx23" in " ".join(refused.output.split())
    assert server_of(over_base, "cara").status == "running", "it is refused before anything is touched"

    over_base.settings(customers=[CARA])
    off(server_of(over_base, "cara"))
    down = over_base.clawdet("up", "-s", "base", "--yes", "--non-interactive")
    assert down.code == 4, down.output
    assert "clawdet power on cara" in down.output

    delete(server_of(over_base, "cara"))
    over_base.settings(customers=[])
    removed = over_base.clawdet("up", "-s", "base", "--yes", "--non-interactive")
    assert removed.code == 0, removed.output
    assert "The server of cara is gone" in removed.output
    assert "cara" not in over_base.servers()
    resources: list[dict[str, Any]] = over_base.stack.export()["deployment"]["resources"]
    assert not [one["urn"] for one in resources if "cara" in one["urn"].rpartition("::")[2]]
