"""A base on a cloud without machines, over which the library makes customers with the real engine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr

from clawdet_infra.automation import Provisioner, Signup
from clawdet_infra.engine.stages import Watch
from tests.contract.hcloud_api.running import TOKEN, RunningCloud, running_cloud
from tests.support.idle_commands import idle_commands
from tests.support.stack import CANARY_API_KEY, ROOT, Result, Stack, customer

DIGEST = "sha256:" + "5" * 64
CELL = "base-cell-1"
CARA = customer("cara", "enterprise", protect=True)


@dataclass
class OverBase:
    """A base that is up, its cloud, and the library over it; commands on servers are run by nobody."""

    stack: Stack
    cloud: RunningCloud
    fleet: Provisioner

    def clawdet(self, *arguments: str) -> Result:
        return self.stack.run("clawdet", *arguments)

    def stacks(self) -> list[str]:
        """The stacks that the backend has."""
        return sorted(one["name"] for one in json.loads(self.stack.run("pulumi", "stack", "ls", "--json").ok().output))

    def settings(self, **fields: Any) -> None:
        """Write other settings into the base's file."""
        self.stack.configure({**self.stack.config(), **{f"clawdet:{key}": value for key, value in fields.items()}})

    def servers(self) -> list[str]:
        """The names of the servers that the provider has."""
        return sorted(str(one.name) for one in self.cloud.client().servers.get_all())


def signup(identity: str, plan: str = "pro", **more: Any) -> Signup:
    return Signup(id=identity, plan=plan, api_key=SecretStr(CANARY_API_KEY), **more)


@pytest.fixture(scope="module")
def over_base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OverBase]:
    home: Path = tmp_path_factory.mktemp("automation")
    example = yaml.safe_load((ROOT / "Pulumi.local.yaml").read_text())["config"]
    with running_cloud(home) as cloud, idle_commands() as idle, pytest.MonkeyPatch.context() as patch:
        stack = Stack(home / "stack", name="base", extra_env={**idle, "CLAWDET_CATALOG": f"sqlite:///{home}/r.db"})
        for name, value in stack.env.items():
            patch.setenv(name, value)
        # Nothing answers at the addresses of this cloud.
        patch.setattr(Watch, "start", lambda *_: None)
        stack.init()
        # No registry is asked for what has a digest.
        release = {role: f"{tag}@{DIGEST}" for role, tag in example["clawdet:release"].items()}
        access = {"endpoint": cloud.endpoint, "token": TOKEN}
        stack.configure({**example, "clawdet:cloud": access, "clawdet:release": release, "clawdet:customers": [CARA]})
        stack.up().ok()
        with Provisioner("base", root=stack.folder) as fleet:
            yield OverBase(stack, cloud, fleet)
