"""What a server has that no stack declares."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr

from clawdet_infra.agent.deployments import deployments
from clawdet_infra.hosts import HostError
from clawdet_infra.hosts.host import CommandResult
from clawdet_infra.hosts.strays import StrayReport, find_strays
from clawdet_infra.inventory.instance import Inventory, Server
from tests.unit.agent.test_status import instance

DOCKER = """#!{python}
import sys
assert "volume" not in sys.argv or sys.argv[-1].startswith("{{{{.Name}}}}\t")
print({lists!r}["ps" if "ps" in sys.argv else "volume"], end="")
"""


def on_server(folder: Path, monkeypatch: pytest.MonkeyPatch, containers: str, volumes: str) -> dict[str, Any]:
    """What a server says whose Docker lists these."""
    program = folder / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(DOCKER.format(python=sys.executable, lists={"ps": containers, "volume": volumes}))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return deployments(str(folder / "srv"))


def test_a_deployment_is_known_by_its_folder_its_containers_or_its_volumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "srv"
    for name in ("ada", ".locks"):
        (root / name / "releases").mkdir(parents=True)
    for name in ("erin", "lost+found"):
        (root / name).mkdir()
    (root / "erin" / "current").symlink_to("releases/000001")
    containers = f"{root}/bob\n{root}/bob\n/opt/theirs\n\n"
    volumes = "".join(
        "\t".join(labels) + "\n"
        for labels in (
            ("carol_state", "carol", "carol", "", "state"),
            ("carol_preflight_state", "carol_preflight", "carol_preflight", "", "state"),
            ("dave_state", "", "dave", "", "state"),  # Made by an older release.
            ("bob_certificates", "", "bob", "2.26.1", "certificates"),
            ("spook_data", "spook", "", "", ""),  # Made by hand.
            ("theirs_state", "", "theirs", "2.26.1", "state"),
            ("f00d", "", "", "", ""),
        )
    )
    assert on_server(tmp_path, monkeypatch, containers, volumes) == {
        "ada": {"folder": f"{root}/ada", "containers": 0, "volumes": []},
        "bob": {"folder": None, "containers": 2, "volumes": ["bob_certificates"]},
        "carol": {"folder": None, "containers": 0, "volumes": ["carol_preflight_state", "carol_state"]},
        "dave": {"folder": None, "containers": 0, "volumes": ["dave_state"]},
        "erin": {"folder": f"{root}/erin", "containers": 0, "volumes": []},
        "spook": {"folder": None, "containers": 0, "volumes": ["spook_data"]},
    }


class Hosts:
    """A server that answers what is set here, and one that does not."""

    def __init__(self, found: Mapping[str, Any]) -> None:
        self._found = found

    async def on(self, server: Server) -> Any:
        if server.name == "away":
            raise HostError("away does not answer")

        async def agent(*_: str, **__: Any) -> CommandResult:
            return CommandResult(0, json.dumps(self._found), "")

        return SimpleNamespace(agent=agent)


async def strays(found: Mapping[str, Any]) -> StrayReport:
    ada = instance("ada.one", plan="free")
    away = Server(name="away", stack="local", ipv4=ada.server.ipv4, host_key="ssh-ed25519 BBBB")
    inventory = Inventory(
        instances={ada.id: ada},
        servers={"host-1": ada.server, "away": away},
        clouds={},
        login_keys={"local": SecretStr("key")},
    )
    return await find_strays(inventory, Hosts(found))  # type: ignore[arg-type]


async def test_what_stacks_declare_is_no_stray_and_a_server_that_does_not_answer_is_named() -> None:
    one = {"folder": None, "containers": 2, "volumes": ["x_state"]}
    found = await strays({"ada-one": one, "clawdet-edge": one, "left": one})
    assert found.sentences == [
        "host-1 has the deployment left, which no stack declares: 2 containers, volumes x_state",
        "away could not be asked for strays: away does not answer",
    ]
