"""A stack whose customer has planted secrets, and an update of it that fails."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from tests.support.cloud import fleet_logs, info_of
from tests.support.gateway import Answer, curl
from tests.support.secrecy import ProcessWatcher
from tests.support.stack import Result, Stack, fleet_config

DOMAIN = "canary.test"
API_KEY = "sk-ant-canary-API0123456789abcdefghijklmnopqrst"
TELEGRAM = "123456789:canaryTELEGRAMabcdefghijklmnopqrstuv"
GATEWAY_TOKEN = "ca9a41ca9a41ca9a41ca9a41ca9a41ca9a41ca9a41ca9a41ca9a41ca9a41f0f0"


@dataclass(frozen=True)
class BrokenUpdate:
    """What was seen when a stack came up, was updated to a release that does not start, and was put back."""

    stack: Stack
    cloud: dict[str, Any]
    outputs: list[str]
    """Everything that the commands printed."""
    failed: Result
    """The update to the release that does not start."""
    meanwhile: Answer
    """What the customer's gateway answered after it."""
    after: Result
    """A preview after the stack was put back."""
    processes: ProcessWatcher

    def logs(self) -> str:
        """The servers' logs, for the report of a test that failed."""
        return fleet_logs(self.cloud, DOMAIN, self.stack.last_update)

    @property
    def secrets(self) -> dict[str, str]:
        """The planted secrets and the generated ones, by name."""
        outputs = self.stack.outputs()
        return {
            "API key": API_KEY,
            "Telegram token": TELEGRAM,
            "gateway token": GATEWAY_TOKEN,
            "password": outputs["tokens"]["canary"]["auth_password"],
            "login key": outputs["login_key"].splitlines()[3],
        }


@pytest.fixture(scope="session")
def broken_update(cloud: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokenUpdate]:
    stack = Stack(tmp_path_factory.mktemp("canaries"), name="canaries").init()
    stack.configure(fleet_config(info_of(cloud), [{"id": "canary", "plan": "pro"}], domain=DOMAIN, sharedHosts=[]))
    for field, secret in (
        ("anthropicApiKey", API_KEY),
        ("telegramBotToken", TELEGRAM),
        ("gatewayToken", GATEWAY_TOKEN),
    ):
        _encrypt(stack, field, secret)
    try:
        with ProcessWatcher() as processes:
            up = stack.up().ok()
            good = stack.file.read_text()
            broken = yaml.safe_load(good)
            # Caddy's image starts, but it is not a gateway.
            broken["config"]["clawdet:customers"][0]["release"] = {"gateway": "docker.io/library/caddy:2.11.9"}
            stack.file.write_text(yaml.safe_dump(broken))
            preview = stack.preview("--diff")
            failed = stack.up("--diff")
            one = stack.outputs()["customers"]["canary"]
            meanwhile = curl(f"{one['url']}/healthz", one["ipv4"], cloud["ca"])
            stack.file.write_text(good)
            back = stack.up("--diff").ok()
            after = stack.preview("--diff", "--expect-no-changes")
        printed = [result.output for result in (up, preview, failed, back, after)]
        yield BrokenUpdate(stack, cloud, printed, failed, meanwhile, after, processes)
    finally:
        result = stack.destroy()
        assert result.code == 0, result.output


def _encrypt(stack: Stack, field: str, secret: str) -> None:
    """Set a secret of the customer as an operator does: the engine encrypts it."""
    done = subprocess.run(
        ["pulumi", "config", "set", "--secret", "--path", f"clawdet:customers[0].{field}", "--stack", stack.name],
        input=secret,
        cwd=stack.folder,
        env=stack.env,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
