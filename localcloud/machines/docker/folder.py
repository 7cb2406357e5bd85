"""A server's folder on this machine: what its entry script and its cloud-init read, and what is known about it."""

from __future__ import annotations

import json
import secrets
import shutil
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from localcloud.machines.base import FirewallRule, MachineSpec, Subnets
from localcloud.machines.docker.firewall import ruleset


@dataclass(frozen=True)
class Registry:
    """The image registry: its address in image names, and the file with its certificate authority."""

    address: str
    authority: Path


def metadata(spec: MachineSpec, instance: str) -> str:
    """The NoCloud metadata.  cloud-init runs the user-data again when `instance` changes."""
    data = {"instance-id": instance, "local-hostname": spec.name, "public-keys": list(spec.ssh_keys)}
    return json.dumps(data, indent=1) + "\n"


class Folder:
    """The folder of one server; only root reads it, because user-data can hold the server's host key."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config"
        self.seed = path / "seed"

    def write(
        self,
        spec: MachineSpec,
        cloud: str,
        subnets: Subnets,
        dns: IPv4Address,
        registry: Registry | None,
        *,
        egress: bool,
    ) -> None:
        """Write everything anew, as for a server that has never booted."""
        self.remove()
        self.path.mkdir(parents=True, mode=0o700)
        self.config.mkdir()
        self.seed.mkdir(mode=0o700)
        instance = f"{cloud}-{spec.number}-{secrets.token_hex(4)}"
        _write(self.seed / "meta-data", metadata(spec, instance))
        _write(self.seed / "user-data", spec.user_data)
        _write(self.config / "resolv.conf", f"nameserver {dns}\n")
        if spec.ipv4 is None:
            _write(self.config / "no-ipv4", "")
        if spec.ipv6 is not None:
            _write(self.config / "ipv6", f"{spec.ipv6}/{subnets.ipv6.prefixlen}\n")
        if egress:
            _write(self.config / "egress", "")
        if registry is not None:
            authority = self.config / "certs.d" / registry.address / "ca.crt"
            authority.parent.mkdir(parents=True)
            _write(authority, registry.authority.read_text())
        self.write_firewall(spec.firewall)

    def write_firewall(self, rules: tuple[FirewallRule, ...] | None) -> str:
        """Write the rules that the server loads when it starts; returns them as input of `nft -f`."""
        text = ruleset(rules)
        _write(self.config / "firewall.nft", text)
        return text

    def note(self, **facts: Any) -> None:
        """Keep facts about the server beside those already kept."""
        _write(self.path / "machine.json", json.dumps({**self.facts(), **facts}) + "\n")

    def facts(self) -> dict[str, Any]:
        """What `note` has kept."""
        try:
            facts: dict[str, Any] = json.loads((self.path / "machine.json").read_text())
        except FileNotFoundError:
            return {}
        return facts

    def remove(self) -> None:
        """Remove the folder; nothing happens where there is none."""
        if self.path.exists():
            shutil.rmtree(self.path)


def _write(path: Path, text: str) -> None:
    """Replace a file in one step, so that a server which starts now reads the old one or the new one."""
    draft = path.with_name(path.name + ".new")
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(path)
