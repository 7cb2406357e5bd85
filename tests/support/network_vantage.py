"""A place on the network of a cloud's servers from which their addresses are seen as a customer sees them.

On this machine itself interfaces come and go with every container that any test starts.  Chromium takes each for a
change of its network, drops its connections and loads with ERR_NETWORK_CHANGED.
"""

from __future__ import annotations

import io
import json
import shlex
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.docker import own_name
from tests.support.stack import wait_until

_IFA_F_TENTATIVE = 0x40


class Vantage:
    """A network namespace with one address, and programs that run in it."""

    def __init__(self, process: int) -> None:
        self._process = process

    def program(self, folder: Path, program: str) -> Path:
        """A file that runs a program there, with the arguments and open files of its caller."""
        script = folder / Path(program).name
        script.write_text(f'#!/bin/sh\nexec nsenter --net=/proc/{self._process}/ns/net {shlex.quote(program)} "$@"\n')
        script.chmod(0o755)
        return script


@contextmanager
def vantage(cloud: Mapping[str, Any]) -> Iterator[Vantage]:
    """A container that does nothing and is gone afterwards, for its network namespace."""
    docker = ["docker", "--host", cloud["docker_host"]]
    container = own_name("vantage")
    image = f"{container}/busybox"
    _run([*docker, "import", "-", image], given=_busybox())
    try:
        options = ["--detach", "--name", container, "--network", _network(docker, cloud)]
        _run([*docker, "run", *options, image, "/busybox", "sleep", "1d"])
        process = int(_run([*docker, "inspect", "--format", "{{.State.Pid}}", container]))
        wait_until(lambda: _settled(process), seconds=30, what="its addresses are its own")
        yield Vantage(process)
    finally:
        _run([*docker, "rm", "--force", container])
        _run([*docker, "rmi", image])


def _settled(process: int) -> bool:
    """Whether no IPv6 address is still probed for a duplicate: the end of that is a change of the network too."""
    addresses = Path(f"/proc/{process}/net/if_inet6").read_text().splitlines()
    return not any(int(line.split()[4], 16) & _IFA_F_TENTATIVE for line in addresses)


def _network(docker: list[str], cloud: Mapping[str, Any]) -> str:
    """The network on which this machine has the address of the cloud's registry."""
    gateway = cloud["registry"].rpartition(":")[0]
    identities = _run([*docker, "network", "ls", "--quiet"]).split()
    for network in json.loads(_run([*docker, "network", "inspect", *identities])):
        if any(one.get("Gateway") == gateway for one in network["IPAM"]["Config"] or ()):
            return str(network["Name"])
    raise AssertionError(f"no Docker network has the gateway {gateway}")


def _busybox() -> bytes:
    """The root file system of an image with one program that needs no other file."""
    program = shutil.which("busybox")
    assert program, "busybox is missing; scripts/system-packages installs it"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(program, "busybox")
    return packed.getvalue()


def _run(argv: list[str], given: bytes | None = None) -> str:
    done = subprocess.run(argv, input=given, capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, f"{shlex.join(argv)} failed: {done.stderr.decode()}"
    return done.stdout.decode()
