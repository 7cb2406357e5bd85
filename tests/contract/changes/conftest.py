"""A fleet that is up, on a cloud without machines, and changes to its list that are only previewed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from clawdet_infra.changes.checkout import CheckoutSource
from clawdet_infra.changes.previewing import Wish, preview
from clawdet_infra.changes.report import Report
from clawdet_infra.cli.up import POLICY_PACK, exit_code
from tests.contract.hcloud_api.running import TOKEN, RunningCloud, running_cloud
from tests.support.idle_commands import idle_commands
from tests.support.stack import ROOT, Result, Stack, customer

DIGEST = "sha256:" + "5" * 64
ALICE = customer("alice", "free")
USER123 = customer("user123", "pro")
ACME = customer("acme", "enterprise")
BASELINE = (ALICE, USER123, ACME)


class Fleet:
    """A stack that was really brought up; its commands alone were run by nobody."""

    def __init__(self, stack: Stack, cloud: RunningCloud) -> None:
        self.stack = stack
        self.cloud = cloud
        example = yaml.safe_load((ROOT / "Pulumi.local.yaml").read_text())["config"]
        self.release = {role: f"{tag}@{DIGEST}" for role, tag in example["clawdet:release"].items()}
        # No registry is asked for what has a digest.
        self._config = {
            **example,
            "clawdet:cloud": {"endpoint": cloud.endpoint, "token": TOKEN},
            "clawdet:release": self.release,
        }

    def want(self, customers: Sequence[Mapping[str, Any]] = BASELINE, **fields: Any) -> None:
        more = {f"clawdet:{key}": value for key, value in fields.items()}
        self.stack.configure({**self._config, "clawdet:customers": list(customers), **more})

    def preview(self, *arguments: str) -> Result:
        return self.stack.run("clawdet", "preview", "-s", self.stack.name, *arguments)

    def report(self, *arguments: str) -> dict[str, Any]:
        """The report of a preview, with the code that it ended with."""
        result = self.preview("--json", *arguments)
        shown = result.output[result.output.index("{") :]
        return {**json.loads(shown), "code": result.code}

    def look(self, monkeypatch: pytest.MonkeyPatch) -> tuple[Report, int]:
        """What `clawdet preview` would tell, and the code that it would end with."""
        for name, value in self.stack.env.items():
            monkeypatch.setenv(name, value)
        report = preview([CheckoutSource(self.stack.name, self.stack.folder)], Wish(policy_pack=str(POLICY_PACK)))
        return report, int(exit_code(report))

    def up(self, *arguments: str) -> Result:
        """Bring the stack up; its commands are run by nobody."""
        with idle_commands() as idle:
            self.stack.extra_env.update(idle)
            try:
                return self.stack.run("clawdet", "up", "-s", self.stack.name, "--yes", "--non-interactive", *arguments)
            finally:
                for name in idle:
                    del self.stack.extra_env[name]


def make_fleet(home: Path, cloud: RunningCloud) -> Fleet:
    """A fleet of three, one of each plan, that is up."""
    fleet = Fleet(Stack(home / "stack").init(), cloud)
    fleet.want()
    fleet.up("--no-policy").ok()
    return fleet


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A fleet that the tests of a module share; none of them brings a change up."""
    home = tmp_path_factory.mktemp("changes")
    with running_cloud(home) as cloud:
        yield make_fleet(home, cloud)
