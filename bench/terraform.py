"""Terraform over the resources that a stack of pro customers declares, with the providers that the engine uses."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.contract.hcloud_api.running import KEY, TOKEN
from toolchain import build, pins
from toolchain.go_toolchain import find_go

CONFIGURATION = Path(__file__).with_name("terraform.tf")
PAYLOAD_BYTES = 5_500
"""What is sent to the server of a pro customer (`stdin` of the deployment's command)."""

_PROVIDERS = {
    "hetznercloud/hcloud": "github.com/hetznercloud/terraform-provider-hcloud",
    "hashicorp/random": "github.com/terraform-providers/terraform-provider-random",
}


def build_providers(folder: Path) -> Path:
    """Build the two providers as Terraform runs them, from the sources that the engine's plugins are built from.

    Returns:
        The file by which Terraform finds them, for TF_CLI_CONFIG_FILE.
    """
    folder.mkdir()
    for package in _PROVIDERS.values():
        subprocess.run(
            [find_go(print), "build", "-buildvcs=false", "-o", folder / package.rpartition("/")[2], package],
            cwd=pins.GO / "providers",
            env=build.environment(),
            check=True,
        )
    overrides = "\n".join(f"    {json.dumps(name)} = {json.dumps(str(folder))}" for name in _PROVIDERS)
    file = folder / "terraform.rc"
    file.write_text(f"provider_installation {{\n  dev_overrides {{\n{overrides}\n  }}\n}}\n")
    return file


class Terraform:
    """Folders with the same resources, each with a state of its own; one is really applied and the others are copies.

    Args:
        program: The `terraform` to run.
        folder: Where everything is written.
        endpoint: The API of the cloud.
    """

    def __init__(self, program: str, folder: Path, endpoint: str) -> None:
        self._program = program
        folder.mkdir()
        self._folder = folder
        self._stacks: list[Path] = []
        self._env = os.environ | {
            "TF_CLI_CONFIG_FILE": str(build_providers(folder / "providers")),
            "TF_IN_AUTOMATION": "1",
            "CHECKPOINT_DISABLE": "1",
            "HCLOUD_TOKEN": TOKEN,
            "HCLOUD_ENDPOINT": endpoint,
        }

    def version(self) -> str:
        """What it says that it is."""
        return str(json.loads(self._run(self._folder, "version", "-json").stdout)["terraform_version"])

    def make(self, customers: int, stacks: int) -> Counter[str]:
        """Apply one folder of `customers` and copy it.

        Returns:
            How many resources of each type a folder has.
        """
        first = self._folder / "0"
        first.mkdir()
        shutil.copy(CONFIGURATION, first / "main.tf")
        (first / "terraform.tfvars.json").write_text(
            json.dumps(
                {
                    "customers": [f"customer-{number}" for number in range(customers)],
                    "login_key": KEY,
                    "payload": "0123456789abcde\n" * (PAYLOAD_BYTES // 16),
                }
            )
        )
        self._run(first, "apply", "-auto-approve", "-input=false", "-no-color")
        self._stacks = [first, *(self._folder / str(number) for number in range(1, stacks))]
        for other in self._stacks[1:]:
            shutil.copytree(first, other)
        state = json.loads((first / "terraform.tfstate").read_text())
        made: Counter[str] = Counter()
        for resource in state["resources"]:
            made[resource["type"]] += len(resource["instances"])
        return made

    def plan(self, at_once: int, *arguments: str) -> None:
        """Plan all folders, none of which may have a change."""

        def one(folder: Path) -> None:
            # It ends with 2 where there is something to do.
            self._run(folder, "plan", "-detailed-exitcode", "-input=false", "-no-color", *arguments)

        with ThreadPoolExecutor(at_once) as pool:
            list(pool.map(one, self._stacks))

    def _run(self, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        command: Sequence[str] = [self._program, *arguments]
        done = subprocess.run(command, cwd=folder, env=self._env, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"terraform {arguments[0]} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return done
