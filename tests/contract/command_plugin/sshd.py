"""A real SSH server on this machine's loopback address, with keys and a configuration of its own."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.contract.command_plugin.sdk import remote

PASSPHRASE = "the passphrase of the key"
_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])


@dataclass(frozen=True)
class Keys:
    """Key pairs of the client, and of the server one of each kind."""

    folder: Path

    @classmethod
    def generate(cls, folder: Path) -> Keys:
        folder.mkdir(parents=True, exist_ok=True)
        for name, kind, passphrase in (
            ("user", "ed25519", ""),
            ("locked", "ed25519", PASSPHRASE),
            ("agent", "ed25519", ""),
            ("stranger", "ed25519", ""),
            ("host_ed25519", "ed25519", ""),
            ("host_ecdsa", "ecdsa", ""),
            ("host_rsa", "rsa", ""),
        ):
            command = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "", "-f", str(folder / name)]
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        allowed = [(folder / f"{name}.pub").read_text("utf-8") for name in ("user", "locked", "agent")]
        (folder / "authorized_keys").write_text("".join(allowed), "utf-8")
        return cls(folder)

    def private(self, name: str) -> str:
        return (self.folder / name).read_text("utf-8")

    def public(self, name: str) -> str:
        return (self.folder / f"{name}.pub").read_text("utf-8").strip()


@dataclass
class Sshd:
    """One server. It is started and stopped by the test or the fixture that has it."""

    keys: Keys
    folder: Path
    settings: Sequence[str] = ()
    """Lines of its configuration that come before the usual ones, and win over them."""
    wrapper: Sequence[str] = ()
    """A command that runs the server."""
    port: int = field(default_factory=lambda: free_port())
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def start(self) -> Sshd:
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "sshd_config"
        config.write_text("\n".join([*self.settings, *self._usual()]) + "\n", "utf-8")
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # Where its unprivileged half lives; systemd makes it else.
        program = shutil.which("sshd", path=_PATH)
        assert program, "sshd is missing: install Debian's openssh-server"
        command = [*self.wrapper, program, "-D", "-e", "-f", str(config)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + 10
        while b"Server listening" not in self.log.read_bytes():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise AssertionError(f"sshd did not start:\n{self.log.read_text('utf-8')}")
            time.sleep(0.02)
        return self

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(timeout=10)

    def _usual(self) -> list[str]:
        kinds = ("ecdsa", "rsa", "ed25519")
        return [
            "ListenAddress 127.0.0.1",
            f"Port {self.port}",
            *(f"HostKey {self.keys.folder / f'host_{kind}'}" for kind in kinds),
            f"AuthorizedKeysFile {self.keys.folder / 'authorized_keys'}",
            "StrictModes no",
            "UsePAM no",
            "PidFile none",
            "PermitRootLogin yes",
            "PasswordAuthentication no",
            "AcceptEnv ACCEPTED_* PULUMI_COMMAND_*",
            "Subsystem sftp internal-sftp",
            "MaxStartups 100",
            "LogLevel VERBOSE",
        ]

    def where(self) -> dict[str, Any]:
        """Host, port, user and a patience that suits tests."""
        return {"host": "127.0.0.1", "port": self.port, "user": getpass.getuser(), "dial_error_limit": 1}

    def connection(self, **changes: Any) -> remote.ConnectionArgs:
        """A connection that works, with some of its arguments changed."""
        return remote.ConnectionArgs(**self._arguments(changes))

    def as_proxy(self, **changes: Any) -> remote.ProxyConnectionArgs:
        """The same, for a bastion."""
        return remote.ProxyConnectionArgs(**self._arguments(changes))

    def _arguments(self, changes: dict[str, Any]) -> dict[str, Any]:
        usual = {"private_key": self.keys.private("user"), "host_key": self.keys.public("host_ed25519")}
        return {**self.where(), **usual, **changes}


def free_port() -> int:
    """A port of the loopback address that is free right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """The keys of a folder's tests; its conftest.py takes this and the server from here."""
    return Keys.generate(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="session")
def sshd(keys: Keys, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """A server that runs as long as a folder's tests do."""
    server = Sshd(keys, tmp_path_factory.mktemp("sshd"))
    server.start()
    yield server
    server.stop()
