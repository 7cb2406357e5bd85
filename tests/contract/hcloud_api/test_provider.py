"""The hcloud provider of Terraform and Pulumi, through the real Pulumi engine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.contract.hcloud_api.openapi import description, description_path
from tests.contract.hcloud_api.running import KEY, TOKEN, RunningCloud, running_cloud
from toolchain import resolve

pytestmark = pytest.mark.engine
PROGRAM = Path(__file__).parent / "program"
KINDS = ("servers", "ssh_keys", "firewalls", "primary_ips", "volumes", "placement_groups", "zones")


@dataclass
class Stack:
    """A stack of the program beside this file, against one local cloud."""

    folder: Path
    cloud: RunningCloud

    def prepare(self) -> None:
        shutil.copytree(PROGRAM, self.folder)
        (self.folder.parent / "state").mkdir()
        self.run("stack", "init", "test")
        self.run("config", "set", "--secret", "hcloud:token", stdin=TOKEN)
        endpoint = {"hcloud:endpoint": self.cloud.endpoint, "hcloud:pollInterval": "20ms"}
        self.set(
            endpoint
            | {"publicKey": KEY, "size": "cx23", "protect": "false", "backups": "true", "sources[0]": "192.0.2.0/24"}
        )

    def set(self, values: Mapping[str, str]) -> None:
        self.run("config", "set-all", "--path", *(f"--plaintext={key}={value}" for key, value in values.items()))

    def run(self, *arguments: str, stdin: str = "") -> str:
        """Run `pulumi`; fails the test with all that was printed where it fails."""
        done = subprocess.run(
            ["pulumi", *arguments, "--non-interactive", "--cwd", str(self.folder)],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=300,
            env=self._environment(),
        )
        assert done.returncode == 0, f"pulumi {' '.join(arguments)}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def up(self) -> None:
        self.run("up", "--yes", "--skip-preview", "--stack", "test")

    def outputs(self) -> dict[str, Any]:
        outputs: dict[str, Any] = json.loads(self.run("stack", "output", "--json", "--stack", "test"))
        return outputs

    def _environment(self) -> dict[str, str]:
        environment = {**os.environ, **resolve.find().environment()}
        environment["PULUMI_BACKEND_URL"] = f"file://{self.folder.parent}/state"
        environment["PULUMI_CONFIG_PASSPHRASE"] = "a passphrase of the tests"
        environment.pop("HCLOUD_TOKEN", None)
        return environment


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    home = tmp_path_factory.mktemp("provider")
    with running_cloud(home) as cloud:
        made = Stack(home / "program", cloud)
        made.prepare()
        yield made


def get(stack: Stack, path: str) -> Any:
    return stack.cloud.call("GET", path).json()


def without_changes(stack: Stack) -> None:
    """Nothing is to be done, seen from the state and seen from the cloud."""
    stack.run("preview", "--expect-no-changes", "--diff", "--stack", "test")
    stack.run("refresh", "--yes", "--skip-preview", "--expect-no-changes", "--diff", "--stack", "test")


def test_the_provider_and_the_local_cloud_understand_each_other(stack: Stack) -> None:
    """One stack through its life: made, unchanged, changed in place, changed by others, gone."""
    stack.up()
    outputs = stack.outputs()
    server = get(stack, "/servers?name=gateway-1")["servers"][0]
    assert server["status"] == outputs["status"] == "running"
    assert server["public_net"]["ipv4"]["ip"] == outputs["ipv4"]
    assert outputs["ipv6"].endswith("::1")
    assert [applied["status"] for applied in server["public_net"]["firewalls"]] == ["applied"]
    assert len(server["volumes"]) == 1
    assert server["public_net"]["ipv4"]["dns_ptr"] == "gateway-1.clawdet.test"
    rrsets = {rrset["id"]: rrset["records"] for rrset in get(stack, "/zones/clawdet.test/rrsets")["rrsets"]}
    assert rrsets["gateway-1/A"] == [{"value": outputs["ipv4"]}]
    assert rrsets["gateway-1/AAAA"] == [{"value": outputs["ipv6"]}]
    assert get(stack, "/servers?name=plain-1")["servers"][0]["backup_window"]
    without_changes(stack)

    stack.set(
        {"size": "cx33", "protect": "true", "backups": "false", "ttl": "120", "sources[0]": "198.51.100.0/24"},
    )
    stack.up()
    changed = get(stack, "/servers?name=gateway-1")["servers"][0]
    assert changed["id"] == server["id"], "all of these are changed in place"
    assert changed["server_type"]["name"] == "cx33"
    assert changed["protection"] == {"delete": True, "rebuild": True}
    assert changed["status"] == "running"
    assert get(stack, "/servers?name=plain-1")["servers"][0]["backup_window"] is None
    assert get(stack, "/zones/clawdet.test/rrsets/www/CNAME")["rrset"]["ttl"] == 120
    rules = get(stack, "/firewalls?name=edge")["firewalls"][0]["rules"]
    assert ["198.51.100.0/24"] in [rule["source_ips"] for rule in rules]
    without_changes(stack)

    # What is changed behind its back is found and put right.
    firewall = get(stack, "/firewalls?name=edge")["firewalls"][0]["id"]
    stack.cloud.call("POST", f"/firewalls/{firewall}/actions/set_rules", {"rules": []})
    stack.cloud.call("DELETE", "/zones/clawdet.test/rrsets/gateway-1/A")
    stack.run("refresh", "--yes", "--skip-preview", "--stack", "test")
    stack.set({"protect": "false"})
    stack.up()
    assert len(get(stack, f"/firewalls/{firewall}")["firewall"]["rules"]) == 3
    records = get(stack, "/zones/clawdet.test/rrsets/gateway-1/A")["rrset"]["records"]
    assert records == [{"value": outputs["ipv4"]}]

    stack.run("destroy", "--yes", "--skip-preview", "--stack", "test")
    left = {kind: get(stack, f"/{kind}")[kind] for kind in KINDS}
    assert left == {kind: [] for kind in KINDS}
    all_that_was_said_is_what_the_real_api_takes_and_gives(stack.cloud)


def all_that_was_said_is_what_the_real_api_takes_and_gives(cloud: RunningCloud) -> None:
    if description_path() is None:
        return
    api = description()
    exchanges = cloud.recorder.exchanges
    assert len(exchanges) > 50, "the recorder has seen the provider's requests"
    requests = [problem for exchange in exchanges for problem in api.request_problems(exchange)]
    answers = [problem for exchange in exchanges for problem in api.problems(exchange)]
    assert "\n".join(sorted(set(requests))) == ""
    assert "\n".join(sorted(set(answers))) == ""
