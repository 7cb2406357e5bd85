"""A server in a folder: the program runs in a process of its own, as on a real one, with a stand-in for Docker."""

from __future__ import annotations

import base64
import bz2
import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clawdet_infra import render
from clawdet_infra.agent.install import System
from clawdet_infra.agent.package import build
from clawdet_infra.config import Release
from tests.unit.agent.fake_docker import DockerProgram
from tests.unit.agent.gateways import Gateways
from tests.unit.render.examples import BOT, PINNED, customer, layout

TOKEN = "c4" * 32
PASSWORD = "canary-password'with\\quotes"
API_KEY = "sk-ant-canary-0123456789-abcdefghijklmnop"
SECRETS = (TOKEN, PASSWORD, API_KEY, BOT)


@dataclass(frozen=True)
class Ran:
    """How the program ended."""

    code: int
    output: str
    errors: str

    @property
    def report(self) -> dict[str, Any]:
        return json.loads(self.output)


class Server:
    """Where payloads are deployed."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "srv"
        self.bin = folder / "bin"
        self.system = System(folder / "system")
        self.agent = folder / "brought" / "agent.pyz"
        self.agent.parent.mkdir()
        self.agent.write_bytes(build().content)
        self.bin.mkdir(parents=True)
        self._docker = DockerProgram(self.bin)
        init = self.bin / "cloud-init"
        init.write_text("#!/bin/sh\nexit 2\n")
        init.chmod(0o755)
        systemctl = self.bin / "systemctl"
        systemctl.write_text('#!/bin/sh\necho "$@" >> "$0.calls"\n')
        systemctl.chmod(0o755)
        for name in ("iptables", "ip6tables"):
            (self.bin / name).write_text(f'#!/bin/sh\necho "{name} $@" >> "${{0%/*}}/iptables.calls"\n')
            (self.bin / name).chmod(0o755)
        everything = [
            "gateway:1",
            "gateway:2",
            "gateway:dying",
            "gateway:unready",
            "gateway:picky",
            "gateway:channel",
            "gateway:old",
            "gateway:nested",
            "proxy:1",
            "proxy:2",
            "browser:1",
        ]
        self.gateways = Gateways(self.bin)
        self.change(
            addresses=self.gateways.addresses,
            images=[],
            registry=everything,
            containers={},
            networks={},
            volumes={},
            made=0,
            ups=0,
            sites=str(self.root / "clawdet-edge" / "sites"),
            serving={},
            unready=[],
        )

    def close(self) -> None:
        self._docker.close()
        self.gateways.close()

    @property
    def world(self) -> dict[str, Any]:
        file = self.bin / "world.json"
        return json.loads(file.read_text()) if file.exists() else {}

    def change(self, **changes: Any) -> None:
        (self.bin / "world.json").write_text(json.dumps({**self.world, **changes}))

    @property
    def calls(self) -> list[list[str]]:
        file = self.bin / "calls.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def forget_calls(self) -> None:
        (self.bin / "calls.jsonl").unlink(missing_ok=True)

    def snapshot(self, name: str = "snapshot") -> Path:
        """A copy of all that there is, to begin from again."""
        copy = self.root.parent / name
        shutil.copytree(self.root, copy / "srv", symlinks=True) if self.root.exists() else copy.mkdir()
        shutil.copy(self.bin / "world.json", copy)
        if (self.bin / "volumes").exists():
            shutil.copytree(self.bin / "volumes", copy / "volumes")
        return copy

    def restore(self, copy: Path) -> None:
        for target, source in ((self.root, copy / "srv"), (self.bin / "volumes", copy / "volumes")):
            shutil.rmtree(target, ignore_errors=True)
            if source.exists():
                shutil.copytree(source, target, symlinks=True)
        shutil.copy(copy / "world.json", self.bin)

    def run(self, payload: str, command: str | None = None) -> Ran:
        """Run the command that travels over SSH, with the payload on stdin."""
        done = subprocess.run(
            ["sh", "-c", self._here(command or render.deploy_command("what a reviewer sees", str(self.agent)))],
            input=payload,
            env={"PATH": f"{self.bin}:{Path(sys.executable).parent}:/usr/bin:/bin", "AUTH_PASSWORD": "left over"},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def remove(self, payload: str) -> Ran:
        return self.run(payload, render.remove_command(str(self.system.agent)))

    def payload(
        self,
        plan: str = "pro",
        *,
        gateway: str = "gateway:1",
        proxy: str = "proxy:1",
        token: str = TOKEN,
        seconds: int = 2,
        **changes: Any,
    ) -> str:
        """What is sent for the example customer of a plan."""
        one = customer(plan, telegramBotToken=BOT, **changes)
        images = Release.model_construct(gateway=gateway, proxy=proxy, browser="browser:1")
        bundle = render.bundle(one, images=images, acme_email="ops@clawdet.test")
        secrets = render.environment(one.customer, gateway_token=token, auth_password=PASSWORD)
        return self._deployments(render.payload(one, bundle, secrets, start_seconds=seconds))

    def edge_payload(self, proxy: str = "proxy:1") -> str:
        host = layout().shared_hosts[0]
        bundle = render.host_bundle(host, proxy=proxy, acme_email="ops@clawdet.test")
        return self._deployments(render.host_payload(host, bundle, start_seconds=2))

    def _deployments(self, payload: str) -> str:
        return payload.replace("/srv/clawdet/", f"{self.root}/")

    def _here(self, command: str) -> str:
        """A command whose agent installs itself into the folder of this server."""
        return re.sub(r"(?m)(^exec .* (?:deploy|remove))$", rf"\1 --root {self.system.root}", command)

    def repacked(self, payload: str, change: Callable[[str, str], str]) -> str:
        """The payload of a release whose files `change` was given, path and content, to be changed."""
        fields = json.loads(payload)
        content = json.loads(bz2.decompress(base64.b85decode(fields["packed"])))
        for path, file in list(content["files"].items()):
            before = file["content"] if "content" in file else build().file(file["shared"])
            changed = change(path, before)
            if changed == before:
                continue
            content["files"][path] = file = {"content": changed, "mode": file["mode"]}
            if path.startswith("config/"):
                name = path.rpartition("/")[2]
                folder = hashlib.sha256(changed.encode()).hexdigest()[:16]
                content["files"][f"config/{folder}/{name}"] = content["files"].pop(path)
        digest = hashlib.sha256(json.dumps(content["files"]).encode()).hexdigest()
        packed = base64.b85encode(bz2.compress(json.dumps(content).encode())).decode()
        return json.dumps(fields | {"packed": packed, "digest": digest})

    def running(self, project: str) -> dict[str, str]:
        """The images of a project's running containers by service."""
        containers = self.world["containers"].values()
        return {one["service"]: one["image"] for one in containers if one["project"] == project and one["running"]}

    def ids(self, project: str) -> dict[str, str]:
        """The containers of a project by service."""
        found = self.world["containers"].items()
        return {one["service"]: name for name, one in found if one["project"] == project}


__all__ = ["API_KEY", "BOT", "PASSWORD", "PINNED", "SECRETS", "TOKEN", "Ran", "Server"]
