"""A stack in a folder of its own, driven through the `pulumi` command as an operator would."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.support.gateways import gateway

ROOT = Path(__file__).resolve().parents[2]
PASSPHRASE = "a passphrase of the tests"

# Secrets of the tests, of the right shape and easy to find where they should not be.
CANARY_API_KEY = "sk-ant-canary-0123456789-abcdefghijklmnop"


@dataclass(frozen=True)
class Result:
    """What a command printed and how it ended."""

    code: int
    output: str

    def ok(self) -> Result:
        assert self.code == 0, f"exit code {self.code}:\n{self.output}"
        return self


@dataclass
class Stack:
    """A copy of the project with a stack of its own, its own state and nothing shared but the code."""

    folder: Path
    name: str = "test"
    extra_env: dict[str, str] = field(default_factory=dict)
    last_update: str = ""
    """What the last update printed."""
    _outputs: dict[str, tuple[tuple[int, ...] | None, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
        project["runtime"]["options"]["virtualenv"] = str(ROOT / ".venv")
        (self.folder / "Pulumi.yaml").write_text(yaml.safe_dump(project))
        shutil.copy(ROOT / "__main__.py", self.folder)
        (self.folder / "state").mkdir(exist_ok=True)

    @property
    def backend(self) -> str:
        return f"file://{self.folder}/state?metadata=skip"

    @property
    def file(self) -> Path:
        return self.folder / f"Pulumi.{self.name}.yaml"

    @property
    def env(self) -> dict[str, str]:
        return {
            **os.environ,
            "PULUMI_BACKEND_URL": self.backend,
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "CLAWDET_ROOT": str(self.folder),
            **self.extra_env,
        }

    def init(self) -> Stack:
        self.pulumi("stack", "init", self.name).ok()
        return self

    def configure(self, config: Mapping[str, Any]) -> None:
        """Write the stack's configuration; keys without a namespace are the program's."""
        content = yaml.safe_load(self.file.read_text()) if self.file.exists() else {}
        keys = {key if ":" in key else f"clawdet:{key}": value for key, value in config.items()}
        self.file.write_text(yaml.safe_dump({**(content or {}), "config": keys}, sort_keys=False))

    def config(self) -> dict[str, Any]:
        return yaml.safe_load(self.file.read_text())["config"]

    def run(self, *argv: str, timeout: float = 500) -> Result:
        done = subprocess.run(
            argv,
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        if "up" in argv[:2]:
            self.last_update = done.stdout
        return Result(done.returncode, done.stdout)

    def pulumi(self, *arguments: str, timeout: float = 500) -> Result:
        return self.run("pulumi", *arguments, "--non-interactive", timeout=timeout)

    def up(self, *arguments: str) -> Result:
        return self.pulumi("up", "--yes", "--skip-preview", "--stack", self.name, *arguments)

    def clawdet_up(self, *arguments: str) -> Result:
        return self.run(
            "clawdet", "up", "--stack", self.name, *arguments, "--yes", "--skip-preview", "--non-interactive"
        )

    def preview(self, *arguments: str) -> Result:
        return self.pulumi("preview", "--stack", self.name, *arguments)

    def preview_steps(self) -> dict[str, str]:
        """What a preview would do: logical name → operation, without what stays the same."""
        shown = self.run("pulumi", "preview", "--stack", self.name, "--json", "--non-interactive").ok().output
        steps = json.loads(shown[shown.index("{") :])["steps"]
        return {step["urn"].rpartition("::")[2]: step["op"] for step in steps if step["op"] not in ("same", "read")}

    def outputs(self, stack: str | None = None) -> dict[str, Any]:
        """The outputs of this stack, or of another one over it, secrets in plain text."""
        name = stack or self.name
        # The engine takes a quarter of a second to decrypt them; they are as they were while the state's file is.
        state = self._state(name)
        if state is None or self._outputs.get(name, (None, ""))[0] != state:
            asked = ("pulumi", "stack", "output", "--json", "--show-secrets", "--stack", name)
            self._outputs[name] = state, self.run(*asked).ok().output
        return json.loads(self._outputs[name][1])

    def _state(self, name: str) -> tuple[int, ...] | None:
        """What tells one state of a stack from another."""
        try:
            found = (self.folder / "state/.pulumi/stacks/clawdet" / f"{name}.json").stat()
        except FileNotFoundError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def export(self) -> dict[str, Any]:
        return json.loads(self.run("pulumi", "stack", "export", "--stack", self.name).ok().output)

    def start_up(self) -> subprocess.Popen[str]:
        """An update in a process group of its own, so that it can be killed whole."""
        return self.start("pulumi", "up", "--yes", "--skip-preview", "--stack", self.name, "--non-interactive")

    def start(self, *argv: str) -> subprocess.Popen[str]:
        """Start a command in a process group of its own."""
        return subprocess.Popen(
            argv,
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def destroy(self) -> Result:
        return self.pulumi("destroy", "--yes", "--skip-preview", "--stack", self.name)


def kill_group(process: subprocess.Popen[Any]) -> None:
    """SIGKILL to a process and all that it started."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout:
        process.stdout.close()


def wait_until(condition: Any, *, seconds: float, what: str) -> Any:
    """The first true answer of `condition`; fails with `what` when none comes in time."""
    end = time.monotonic() + seconds
    while True:
        if answer := condition():
            return answer
        assert time.monotonic() < end, f"after {seconds} s still not: {what}"
        time.sleep(0.2)


def customer(identity: str, plan: str, **fields: Any) -> dict[str, Any]:
    return {"id": identity, "plan": plan, "anthropicApiKey": CANARY_API_KEY, **fields}


def fleet_config(cloud_info: Path, customers: Sequence[Mapping[str, Any]], **fields: Any) -> dict[str, Any]:
    """The example configuration of the local cloud, with other customers and the gateway that tests use."""
    example = yaml.safe_load((ROOT / "Pulumi.local.yaml").read_text())["config"]
    own = {
        "clawdet:cloud": str(cloud_info),
        "clawdet:customers": list(customers),
        "clawdet:release": {**example["clawdet:release"], "gateway": gateway()},
    }
    return {**example, **own, **{f"clawdet:{key}": value for key, value in fields.items()}}
