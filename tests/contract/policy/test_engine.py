"""The policy pack as the engine runs it, over whole fleets; no machine is needed for a preview."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from policy.pack import POLICIES
from tests.contract.hcloud_api.running import TOKEN, running_cloud
from tests.support.stack import CANARY_API_KEY, ROOT, Stack

pytestmark = pytest.mark.engine

PACK = str(ROOT / "policy" / "run")
DIGEST = "sha256:" + "5" * 64
SPOILERS = Path(__file__).with_name("spoiled.py")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The example fleet of production, on a cloud without machines, with secrets that the tests know."""
    home = tmp_path_factory.mktemp("policy")
    with running_cloud(home) as cloud:
        made = Stack(home / "stack").init()
        config = yaml.safe_load((ROOT / "Pulumi.prod.yaml").read_text())["config"]
        made.configure(
            {key: value for key, value in config.items() if key.startswith("clawdet:")}
            | {
                "clawdet:cloud": {"endpoint": cloud.endpoint, "token": TOKEN},
                "clawdet:customers": [_with_known_secrets(one) for one in config["clawdet:customers"]],
                # No registry is asked for what has a digest.
                "clawdet:release": {role: f"{tag}@{DIGEST}" for role, tag in config["clawdet:release"].items()},
            }
        )
        yield made


def _with_known_secrets(customer: dict[str, Any]) -> dict[str, Any]:
    plain = {key: value for key, value in customer.items() if key not in ("telegramBotToken", "authPassword")}
    return {**plain, "anthropicApiKey": CANARY_API_KEY, "gatewayToken": token_of(customer["id"])}


def token_of(identity: str) -> str:
    """A token that is given: it makes the deployment known before anything is made, so that a preview can judge it."""
    return hashlib.sha256(identity.encode()).hexdigest()


def test_the_example_fleet_passes(stack: Stack) -> None:
    told = stack.preview("--policy-pack", PACK).ok().output
    assert "✅ clawdet" in told, f"the engine did not run the pack:\n{told}"
    assert "can't run policy" not in told
    _no_secret_in(told)


@pytest.fixture
def spoiled(stack: Stack) -> Iterator[Stack]:
    """The same stack with a program that makes each of the mistakes."""
    program = stack.folder / "__main__.py"
    right = program.read_text()
    program.write_text(SPOILERS.read_text())
    yield stack
    program.write_text(right)


def test_a_fleet_whose_program_went_wrong_is_stopped(spoiled: Stack) -> None:
    result = spoiled.preview("--policy-pack", PACK)
    assert result.code != 0, result.output
    silent = [policy.name for policy in POLICIES if f"{policy.name} " not in result.output]
    assert silent == [], f"these policies said nothing:\n{result.output}"
    for words in (
        "customer noor, resource noor-deployment: service gateway: can write to its own image.",
        "1024 MiB of memory are under the minimum of 2048 MiB",
        "port 22 is open to 0.0.0.0/0",
        "tcp port 18789 is open",
        "its TTL of 5 s",
        "the label 'note' contains what looks like an Anthropic API key (the value is not shown)",
    ):
        assert words in result.output, f"nobody reads {words!r} in:\n{result.output}"
    _no_secret_in(result.output)


def test_clawdet_up_stops_before_anything_is_made(spoiled: Stack) -> None:
    result = spoiled.run("clawdet", "up", "--stack", "test", "--yes", "--non-interactive")
    assert result.code != 0, result.output
    assert "servers-protected" in result.output
    assert spoiled.export()["deployment"].get("resources", []) == []
    _no_secret_in(result.output)


def _no_secret_in(text: str) -> None:
    tokens = [token_of(identity) for identity in ("iris", "noor", "globex")]
    for secret in (CANARY_API_KEY, *tokens, *(token[:16] for token in tokens), TOKEN, "PRIVATE KEY"):
        assert secret not in text
