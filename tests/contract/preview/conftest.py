"""A fleet that is up, on a cloud without machines, and changes to its list that are only previewed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from clawdet_infra.cli.main import app
from clawdet_infra.cli.up import POLICY_PACK, exit_code
from clawdet_infra.preview.report import Report
from clawdet_infra.preview.run import PreviewOptions, preview
from clawdet_infra.preview.sources import CheckoutSource
from tests.contract.hcloud_api.running import TOKEN, RunningCloud, free_port, running_cloud
from tests.support.idle_commands import idle_commands
from tests.support.stack import ROOT, Result, Stack, customer

DIGEST = "sha256:" + "5" * 64
ALICE = customer("alice", "free")
USER123 = customer("user123", "pro")
ACME = customer("acme", "enterprise")
GROUP = pytest.mark.xdist_group("changes")
"""Keeps these tests on one worker, since to bring the fleet up takes a tenth of their time."""
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

    def command(self, *arguments: str) -> Result:
        """What `clawdet preview` prints, and how it ends."""
        return self.stack.run("clawdet", "preview", "-s", self.stack.name, *arguments)

    def preview(self, *arguments: str) -> Result:
        """The same within this process, which has loaded already what a command of its own would load."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.stack.env.items():
                patch.setenv(name, value)
            for module in ("preview", "stack"):
                patch.setattr(f"clawdet_infra.cli.{module}.ROOT", self.stack.folder)
            done = CliRunner().invoke(app, ["preview", "-s", self.stack.name, *arguments])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
        return Result(done.exit_code, done.output)

    def report(self, *arguments: str) -> dict[str, Any]:
        """The report of a preview, with the code that it ended with."""
        result = self.preview("--json", *arguments)
        shown = result.output[result.output.index("{") :]
        return {**json.loads(shown), "code": result.code}

    def look(self, monkeypatch: pytest.MonkeyPatch) -> tuple[Report, int]:
        """What `clawdet preview` would tell, and the code that it would end with."""
        for name, value in self.stack.env.items():
            monkeypatch.setenv(name, value)
        report = preview(
            [CheckoutSource(self.stack.name, self.stack.folder)], PreviewOptions(policy_pack=str(POLICY_PACK))
        )
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


@dataclass
class Deployed:
    """A fleet of three, one of each plan, as it was when it was brought up: its folder and its cloud's port."""

    home: Path
    copy: Path
    port: int

    @classmethod
    def make(cls, home: Path) -> Deployed:
        """Bring the fleet up, once for all tests of a worker."""
        begun = home / "begun"
        begun.mkdir()
        port = free_port()
        with running_cloud(begun, port=port) as cloud:
            fleet = Fleet(Stack(begun / "stack").init(), cloud)
            fleet.want()
            fleet.up().ok()
        copy = home / "copy"
        begun.rename(copy)
        return cls(begun, copy, port)

    @contextmanager
    def running(self) -> Iterator[Fleet]:
        """The fleet as it was, in the same place."""
        shutil.copytree(self.copy, self.home)
        try:
            with running_cloud(self.home, port=self.port) as cloud:
                yield Fleet(Stack(self.home / "stack"), cloud)
        finally:
            shutil.rmtree(self.home)


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Deployed:
    """A fleet that was brought up."""
    return Deployed.make(tmp_path_factory.mktemp("changes"))


@pytest.fixture
def fleet(deployed: Deployed) -> Iterator[Fleet]:
    """A fleet that is up; what a test does with it, no other test sees."""
    with deployed.running() as fleet:
        yield fleet
