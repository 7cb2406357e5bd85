"""A server's folder on this machine: what its entry script and its cloud-init read."""

from __future__ import annotations

import base64
import binascii
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from localcloud.machines.base import FirewallRule, MachineSpec
from localcloud.machines.docker.firewall import ruleset

FIREWALL_FILE = "firewall.nft"


@dataclass(frozen=True)
class Registry:
    """The image registry: its address in image names, and its certificate authority as PEM."""

    address: str
    authority: str


@dataclass(frozen=True)
class Surroundings:
    """What a server is told about the cloud it is in."""

    dns: IPv4Address
    ipv6_prefix: int
    registry: Registry | None
    egress: bool


def config_files(spec: MachineSpec, surroundings: Surroundings) -> dict[str, str]:
    """What the entry script of the image reads, by name in its folder."""
    files = {"resolv.conf": f"nameserver {surroundings.dns}\n", FIREWALL_FILE: ruleset(spec.firewall)}
    if spec.ipv4 is None:
        files["no-ipv4"] = ""
    if spec.ipv6 is not None:
        files["ipv6"] = f"{spec.ipv6}/{surroundings.ipv6_prefix}\n"
    if surroundings.egress:
        files["egress"] = ""
    if surroundings.registry is not None:
        files |= registry_files(surroundings.registry)
    return files


def registry_files(registry: Registry) -> dict[str, str]:
    """What lets the server's Docker trust the registry."""
    return {f"certs.d/{registry.address}/ca.crt": registry.authority}


def seed_files(spec: MachineSpec, instance: str) -> dict[str, str | bytes]:
    """What cloud-init's NoCloud source reads.  cloud-init runs everything again when `instance` changes."""
    metadata = {"instance-id": instance, "local-hostname": spec.name, "public-keys": list(spec.ssh_keys)}
    files: dict[str, str | bytes] = {"meta-data": json.dumps(metadata, indent=1) + "\n"}
    files["user-data"] = _user_data(spec.user_data)
    if spec.root_password is not None:
        # As Hetzner Cloud does it: the password lets root in once, and has to be changed then.
        root = {"name": "root", "password": spec.root_password, "type": "text"}
        vendor = {"ssh_pwauth": True, "chpasswd": {"expire": True, "users": [root]}}
        files["vendor-data"] = f"#cloud-config\n{json.dumps(vendor, indent=1)}\n"
    return files


def _user_data(text: str) -> str | bytes:
    """Return user data as cloud-init's source for Hetzner takes it: what is base64 is decoded, and may be gzip then."""
    try:
        return base64.b64decode(text, validate=True) if text else text
    except (binascii.Error, ValueError):
        return text


class Folder:
    """The folder of one server; only root reads it, because user-data can hold the server's host key."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config"
        self.seed = path / "seed"

    def write(self, config: Mapping[str, str], seed: Mapping[str, str | bytes]) -> None:
        """Write everything anew, as for a server that has never booted."""
        self.remove()
        self.path.mkdir(parents=True, mode=0o700)
        self.config.mkdir()
        self.seed.mkdir()
        self.write_config(config)
        for name, text in seed.items():
            _write(self.seed / name, text)

    def write_config(self, config: Mapping[str, str]) -> None:
        """Replace what the entry script reads.  The folder itself stays, because the container has it mounted."""
        for path in self.config.rglob("*"):
            if path.is_file() and str(path.relative_to(self.config)) not in config:
                path.unlink()
        for name, text in config.items():
            (self.config / name).parent.mkdir(parents=True, exist_ok=True)
            _write(self.config / name, text)

    def write_firewall(self, rules: tuple[FirewallRule, ...] | None) -> str:
        """Write the rules that the server loads when it starts; returns them as input of `nft -f`."""
        text = ruleset(rules)
        _write(self.config / FIREWALL_FILE, text)
        return text

    def remove(self) -> None:
        """Remove the folder; nothing happens where there is none."""
        if self.path.exists():
            shutil.rmtree(self.path)


def _write(path: Path, content: str | bytes) -> None:
    """Replace a file in one step, so that a server which starts now reads the old one or the new one."""
    draft = path.with_name(path.name + ".new")
    draft.touch(mode=0o600)
    draft.write_bytes(content.encode() if isinstance(content, str) else content)
    draft.replace(path)
