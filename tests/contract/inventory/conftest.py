"""Stacks that really are in a backend, made by the engine from a program that only exports."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.stack import PASSPHRASE, Stack, customer
from tests.unit.inventory.conftest import outputs
from toolchain import resolve

PROGRAM = """
import json
from pathlib import Path
import pulumi

stack = pulumi.get_stack()
exported = json.loads(Path(f"outputs.{stack}.json").read_text())
for customer in exported.get("customers", ()):
    pulumi.ComponentResource("clawdet:index:Customer", customer)
for name, value in exported.items():
    pulumi.export(name, pulumi.Output.secret(value) if name in ("tokens", "login_key") else value)
"""


class Project:
    """A project's folder with stacks that export what a test says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def up(self, name: str, *customers: str, server: str = "", exports: dict[str, Any] | None = None) -> Stack:
        stack = Stack(self.folder, name=name)
        (self.folder / "__main__.py").write_text(PROGRAM)
        content = outputs(*customers, server=server) if exports is None else exports
        (self.folder / f"outputs.{name}.json").write_text(json.dumps(content))
        if not stack.file.exists():
            stack.init()
            stack.configure(
                {
                    "domain": "clawdet.test",
                    "acmeEmail": "ops@clawdet.test",
                    "release": {"gateway": "a/b:1", "proxy": "a/c:1", "browser": "a/d:1"},
                    "ssh": {"sources": ["10.0.0.0/8"]},
                    "cloud": f"cloud-{name}.json",
                    "customers": [customer(one, "pro") for one in customers],
                }
            )
            self.cloud(name, "t" * 64)
        stack.up().ok()
        return stack

    def stack(self, name: str) -> Stack:
        """One of the stacks."""
        return Stack(self.folder, name=name)

    def cloud(self, name: str, token: str) -> None:
        """The description of a local cloud that is not up."""
        info = {"endpoint": "http://127.0.0.1:9/v1", "token": token, "dns": "127.0.0.1:5353"}
        (self.folder / f"cloud-{name}.json").write_text(json.dumps(info))


def _environment(patch: pytest.MonkeyPatch, folder: Path) -> None:
    for name, value in resolve.ensure(print).environment().items():
        patch.setenv(name, value)
    patch.setenv("PULUMI_BACKEND_URL", f"file://{folder}/state")
    patch.setenv("PULUMI_CONFIG_PASSPHRASE", PASSPHRASE)
    patch.delenv("HCLOUD_TOKEN", raising=False)


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a project whose stacks are up, for each test to copy."""
    folder = tmp_path_factory.mktemp("example") / "project"
    with pytest.MonkeyPatch.context() as patch:
        _environment(patch, folder)
        made = Project(folder)
        made.up("one", "ada")
        made.up("two", "bob", "eve", server="shared-1")
        made.up("empty", exports={})
    return folder


@pytest.fixture
def project(example: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with three stacks: one with ada, two with bob and eve on a shared host, and one with nothing."""
    folder = tmp_path / "project"
    shutil.copytree(example, folder)
    _environment(monkeypatch, folder)
    return Project(folder)
