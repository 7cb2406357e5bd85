"""The inventory as the engine has it."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from clawdet_infra.inventory import InventoryError, Loader, load, read_listing
from clawdet_infra.inventory import reader as loading_module
from clawdet_infra.inventory.selection import choose_stack, selected_stack
from tests.contract.inventory.conftest import Project

# On one worker, since to make the stacks takes a third of their time.
pytestmark = [pytest.mark.engine, pytest.mark.timeout(300), pytest.mark.xdist_group("inventory")]


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which stacks the engine was asked for."""
    asked: list[str] = []
    real, lock = loading_module.outputs_of, threading.Lock()

    def outputs_of(stack: str, root: Path) -> object:
        with lock:
            asked.append(stack)
        return real(stack, root)

    monkeypatch.setattr(loading_module, "outputs_of", outputs_of)
    return asked


def test_all_stacks_with_customers_are_one_inventory(project: Project) -> None:
    inventory = load(root=project.folder)
    assert sorted(inventory.instances) == ["ada", "bob", "eve"]
    assert inventory.instances["ada"].password.get_secret_value() == "canary-password-1"
    assert inventory.login_keys["two"].get_secret_value() == "canary-login-key"
    assert inventory.clouds["one"].resolver == "127.0.0.1:5353", "though the cloud itself is not up"
    assert sorted(load(["one"], root=project.folder).instances) == ["ada"]
    listing = read_listing(project.folder)
    assert listing
    assert [one.id for one in listing.entries] == ["ada", "bob", "eve"]
    assert "canary" not in (project.folder / ".clawdet" / "inventory.json").read_text()


def test_only_what_has_changed_is_read_again(project: Project, reads: list[str]) -> None:
    loader = Loader(root=project.folder)
    loader.load()
    assert sorted(reads) == ["empty", "one", "two"]
    loader.load()
    assert len(reads) == 3, "nothing has changed"
    project.up("two", "bob", "mia")
    assert sorted(loader.load().instances) == ["ada", "bob", "mia"]
    assert reads[3:] == ["two"]
    project.cloud("one", "u" * 64)
    assert loader.load().clouds["one"].token.get_secret_value() == "u" * 64
    assert reads[4:] == ["one"], "a recreated cloud has another token"


def test_a_stack_that_is_half_edited_is_looked_after_all_the_same(project: Project) -> None:
    stack = project.stack("one")
    stack.configure({**stack.config(), "customers": [{"id": "half"}], "surprise": True})
    assert sorted(load(["one"], root=project.folder).instances) == ["ada"]


def test_a_wrong_passphrase_is_one_sentence(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "canary wrong")
    with pytest.raises(InventoryError, match=r"stack one cannot be decrypted: .* is not its passphrase") as caught:
        load(["one"], root=project.folder)
    assert "canary" not in str(caught.value)
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE")
    with pytest.raises(InventoryError, match="stack one cannot be decrypted without its passphrase"):
        load(["one"], root=project.folder)


def test_a_stack_without_customers_or_that_nobody_knows_is_said_so(project: Project) -> None:
    with pytest.raises(
        InventoryError, match="stack empty has no customers yet: bring it up with `clawdet up -s empty`"
    ):
        load(["empty"], root=project.folder)
    with pytest.raises(InventoryError, match="stack other is not in the state's backend"):
        load(["other"], root=project.folder)


def test_a_stack_whose_file_is_gone_is_said_so(project: Project) -> None:
    project.stack("one").file.unlink()
    with pytest.raises(InventoryError, match=r"there is no file .*Pulumi\.one\.yaml"):
        load(["one"], root=project.folder)


def test_a_cloud_without_a_token_is_said_so(project: Project) -> None:
    stack = project.stack("one")
    stack.configure({key: value for key, value in stack.config().items() if key != "clawdet:cloud"})
    with pytest.raises(
        InventoryError, match="stack one does not say how its cloud is reached: hcloud:token: is missing"
    ):
        load(["one"], root=project.folder)


def test_without_an_engine_the_sentence_says_what_to_run(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.defpath)
    with pytest.raises(InventoryError, match=r"pulumi is not on PATH.*\. \./activate"):
        load(["one"], root=project.folder)


def test_the_selected_stack_is_read_from_where_the_engine_keeps_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PULUMI_STACK", raising=False)
    stack = project.stack("one")
    # By the address that this process has, as an operator's shell.
    backend = f"PULUMI_BACKEND_URL={os.environ['PULUMI_BACKEND_URL']}"
    # The engine remembers a selection by the folder's path, which an earlier run of the tests may have had.
    stack.run("env", backend, "pulumi", "stack", "unselect").ok()
    assert selected_stack(project.folder) is None
    for name in ("two", "one"):
        stack.run("env", backend, "pulumi", "stack", "select", name).ok()
        assert selected_stack(project.folder) == choose_stack(None, project.folder) == name
    monkeypatch.setenv("PULUMI_STACK", "two")
    shown = stack.run("env", backend, "pulumi", "stack", "--show-name").ok().output
    assert shown.strip() == selected_stack(project.folder) == "two"


def test_a_stack_is_read_with_its_cells(project: Project) -> None:
    file = project.folder / "Pulumi.one.yaml"
    project.up("one-cell-1", "cara")
    # A cell is configured by its base.
    (project.folder / "Pulumi.one-cell-1.yaml").unlink()
    assert file.is_file()
    assert sorted(load(["one"], root=project.folder).instances) == ["ada", "cara"]
    assert sorted(load(["one-cell-1"], root=project.folder).instances) == ["cara"]
    assert sorted(load(["one"], cells=False, root=project.folder).instances) == ["ada"]
    listing = read_listing(project.folder)
    assert listing
    assert sorted(one.id for one in listing.entries) == ["ada", "cara"]
