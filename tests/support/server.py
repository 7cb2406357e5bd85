"""A way onto the servers of a stack, with OpenSSH and the host key that the stack exports."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any


class Server:
    """Runs commands as root on one server."""

    def __init__(self, folder: Path, outputs: dict[str, Any], name: str) -> None:
        self._ipv4 = outputs["servers"][name]["ipv4"]
        self._key = folder / "login_key"
        self._key.touch(mode=0o600)
        self._key.write_text(outputs["login_key"])
        self._known_hosts = folder / f"known_hosts_{name}"
        self._known_hosts.write_text(f"{self._ipv4} {outputs['servers'][name]['host_key']}\n")

    def attempt(self, command: str, given: str = "") -> subprocess.CompletedProcess[str]:
        options = {
            "UserKnownHostsFile": str(self._known_hosts),
            "StrictHostKeyChecking": "yes",
            "IdentitiesOnly": "yes",
            "BatchMode": "yes",
            "ConnectTimeout": "5",
        }
        flags = [part for key, value in options.items() for part in ("-o", f"{key}={value}")]
        return subprocess.run(
            ["ssh", "-i", str(self._key), *flags, f"root@{self._ipv4}", command],
            input=given,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def run(self, command: str, given: str = "") -> str:
        done = self.attempt(command, given)
        assert done.returncode == 0, f"`{command}` on {self._ipv4} ended with {done.returncode}: {done.stderr}"
        return done.stdout

    def start_times(self) -> dict[str, str]:
        """When each container began to run."""
        listed = self.run("docker ps -q | xargs -r docker inspect --format '{{.Name}} {{.State.StartedAt}}'")
        return dict(line.split() for line in listed.splitlines())
