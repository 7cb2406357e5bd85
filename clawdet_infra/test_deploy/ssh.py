"""OpenSSH to a server whose host key is known beforehand."""

from __future__ import annotations

import contextlib
import subprocess
from dataclasses import dataclass
from pathlib import Path

from clawdet_infra.error_line import read
from clawdet_infra.redaction import Redactor
from clawdet_infra.test_deploy.failures import TrialError

_CONNECT_SECONDS = 15
_UNREACHED = 255
"""What `ssh` itself ends with; every other code is the command's."""


@dataclass(frozen=True)
class Ssh:
    """How root of a server is reached.

    The server shows `host_key` (a line as in a .pub file), or one that this user's known_hosts has; one that nobody
    has vouched for is never taken.  `identity` is a file with a private key; None leaves it to agent and configuration.
    """

    address: str
    folder: Path
    host_key: str | None = None
    identity: str | None = None

    def run(self, command: str, stdin: str = "", *, seconds: float, secrets: tuple[str, ...] = ()) -> str:
        """Run a command and return its output.  Raises TrialError with the last that was said, without `secrets`."""
        try:
            process = subprocess.Popen(
                self._argv(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                # A Ctrl-C of the terminal is for us to act on, not for it.
                start_new_session=True,
            )
        except FileNotFoundError:
            raise TrialError("there is no `ssh` on PATH: install OpenSSH's client") from None
        try:
            output, errors = process.communicate(stdin, timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise TrialError(f"{self.address} did not finish within {seconds:.0f} s") from None
        except BaseException:
            process.kill()
            with contextlib.suppress(ValueError):
                process.communicate()
            raise
        if process.returncode == 0:
            return output
        _, last = read((errors.strip() or output.strip()).rpartition("\n")[2])
        said = Redactor(secrets).line(last, 900)
        if process.returncode == _UNREACHED:
            raise TrialError(f"{self.address} cannot be reached over SSH: {self._meant(errors, said)}")
        raise TrialError(said or f"the command on {self.address} ended with {process.returncode}")

    def _argv(self, command: str) -> list[str]:
        options = {"BatchMode": "yes", "StrictHostKeyChecking": "yes", "ConnectTimeout": str(_CONNECT_SECONDS)}
        if self.host_key is not None:
            known = self.folder / "known_hosts"
            known.write_text(f"{self.address} {self.host_key}\n", encoding="utf-8")
            kind = self.host_key.split()[0]
            options |= {
                "UserKnownHostsFile": str(known),
                "GlobalKnownHostsFile": "/dev/null",
                "HostKeyAlgorithms": "rsa-sha2-512,rsa-sha2-256" if kind == "ssh-rsa" else kind,
            }
        if self.identity is not None:
            options |= {"IdentityFile": self.identity, "IdentitiesOnly": "yes"}
        flags = [part for key, value in options.items() for part in ("-o", f"{key}={value}")]
        return ["ssh", *flags, "-l", "root", "--", self.address, command]

    def _meant(self, errors: str, said: str) -> str:
        if "Host key verification failed" in errors:
            if self.host_key is not None or "REMOTE HOST IDENTIFICATION HAS CHANGED" in errors:
                return "it shows another host key than the one that is known; somebody may be in between"
            return (
                "its host key is not known. Give it with --host-key, as the provider or the server's console shows it"
            )
        if "Permission denied" in errors:
            return "it does not take this key for root. Give the right one with --identity, or add it to your agent"
        return said or "no reason was given"
