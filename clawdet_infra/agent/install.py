"""Installs the agent on this server, with the units of systemd that run its watchdog and its firewall."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clawdet_infra.agent import firewall
from clawdet_infra.agent.commands import must, run
from clawdet_infra.agent.files import write
from clawdet_infra.agent.package import FIREWALL_UNIT, UNITS, WATCHDOG_TIMER, Package

_MODE = 0o644
# Those that were brought over SSH are brought again where they are needed.
_KEPT_SECONDS = 7 * 24 * 3600.0
_OF_NO_DEPLOYMENT = re.compile(r"[0-9a-f]{16}\.pyz")
# What releases until November 2026 installed instead.
_OLDER = ("usr/local/lib/clawdet/guard.pyz", "usr/local/lib/clawdet/guard.installed")
_OLDER_FIREWALL = ("usr/local/sbin/clawdet-container-firewall", "usr/local/lib/clawdet/firewall.installed")


@dataclass(frozen=True)
class System:
    """Where things are on this server; `root` is another folder than `/` in tests."""

    root: Path = Path("/")

    @property
    def agent(self) -> Path:
        """The agent that systemd runs, and that removes deployments."""
        return self.root / "usr/local/lib/clawdet/agent.pyz"

    @property
    def agents(self) -> Path:
        """The folder into which agents are brought, each under a name of its own; see `names.agent`."""
        return self.root / "usr/local/lib/clawdet/agents"

    @property
    def units(self) -> Path:
        """The folder of systemd's units."""
        return self.root / "etc/systemd/system"

    @property
    def docker_settings(self) -> Path:
        """Docker's own configuration."""
        return self.root / "etc/docker/daemon.json"


def install(package: Package, system: System) -> None:
    """Install a package, unless it is here, its firewall holds and its watchdog's timer runs.

    The caller holds a lock.  Raises DeploymentError.
    """
    files = {system.agent: package.content}
    files |= {system.units / name: package.file(name).encode() for name in UNITS}
    # Written last: without it, an installation was cut off before systemd knew of it.
    stamp = system.agent.with_suffix(".installed")
    rules = firewall.version()
    installed = _is_installed(files, stamp)
    same_rules = stamp.is_file() and stamp.read_text() == rules
    if not installed:
        stamp.unlink(missing_ok=True)
        for path, content in files.items():
            write(path, content, _MODE)
        for command in (["daemon-reload"], ["enable", "--quiet", FIREWALL_UNIT]):
            must(["systemctl", *command], seconds=60, doing="installing the agent")
    # Not by a restart of its unit, which would restart Docker, since that requires it.
    if not same_rules or not firewall.holds():
        firewall.apply()
    if not installed or not run(["systemctl", "is-active", "--quiet", WATCHDOG_TIMER], seconds=30).ok:
        for command in (["enable", "--quiet", WATCHDOG_TIMER], ["restart", WATCHDOG_TIMER]):
            must(["systemctl", *command], seconds=60, doing="starting the watchdog")
    for older in (*_OLDER, *_OLDER_FIREWALL):
        (system.root / older).unlink(missing_ok=True)
    write(stamp, rules.encode(), _MODE)


def forget_agents(project: str, system: System, kept: Path | None = None) -> None:
    """Delete the agents that were brought for a deployment but one, and those for none that are old."""
    for file in system.agents.glob("*.pyz"):
        old = _OF_NO_DEPLOYMENT.fullmatch(file.name) and time.time() - file.stat().st_mtime > _KEPT_SECONDS
        if file != kept and (old or file.name.startswith(f"{project}.")):
            file.unlink(missing_ok=True)


def _is_installed(files: Mapping[Path, bytes], stamp: Path) -> bool:
    return stamp.exists() and all(path.is_file() and path.read_bytes() == new for path, new in files.items())
