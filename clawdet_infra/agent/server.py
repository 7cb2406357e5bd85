"""The server itself: is it prepared, and is nobody else deploying?"""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from clawdet_infra.agent.commands import must, run
from clawdet_infra.agent.errors import DeploymentError, LockHeldError
from clawdet_infra.agent.files import write
from clawdet_infra.agent.names import lock

_PREPARED_SECONDS = 900
_DOCKER_SECONDS = 120

# The second is for servers where networks of Docker's own defaults, 172.17.0.0 to 172.31.255.255, are in the way.  The
# default route of Hetzner's servers leads to 172.31.1.1.
ADDRESS_POOLS = [{"base": "172.20.0.0/14", "size": 26}, {"base": "10.13.0.0/16", "size": 26}]


def wait_until_prepared() -> None:
    """Wait for the first boot's cloud-init, and for Docker with compose."""
    if shutil.which("cloud-init"):
        answer = run(["cloud-init", "status", "--wait"], seconds=_PREPARED_SECONDS)
        # 2 means that it finished and noticed something that can be lived with.
        if answer.code not in (0, 2):
            raise DeploymentError(f"cloud-init did not finish on the server: {answer.said}")
    end = time.monotonic() + _DOCKER_SECONDS
    while True:
        answer = run(["docker", "info", "--format", "{{.ServerVersion}}"], seconds=20)
        if answer.ok:
            break
        if time.monotonic() > end:
            raise DeploymentError(f"Docker does not answer on the server: {answer.said}")
        time.sleep(0.5)
    answer = run(["docker", "compose", "version"], seconds=20)
    if not answer.ok:
        raise DeploymentError(f"Docker Compose is missing on the server: {answer.said}")


def set_address_pools(file: Path) -> None:
    """Give Docker, by its configuration `file`, addresses for thousands of networks, unless somebody has set any.

    Its own defaults end at 30 networks, which are 14 customers.  Docker reads the file when it starts.  It is restarted
    here only where no container runs; else the setting waits for the next start.
    """
    try:
        settings = json.loads(file.read_text())
    except FileNotFoundError:
        settings = {}
    except ValueError:
        raise DeploymentError(
            f"{file} on the server is not JSON, so Docker will not start with it; correct it"
        ) from None
    if "default-address-pools" in settings:
        return
    write(file, json.dumps(settings | {"default-address-pools": ADDRESS_POOLS}, indent=1).encode(), 0o644)
    if not must(["docker", "ps", "--quiet"], seconds=30, doing="listing containers").strip():
        must(["systemctl", "restart", "docker.service"], seconds=_DOCKER_SECONDS, doing="restarting Docker")


def lock_file(root: Path, name: str) -> Path:
    """Return the file of a lock; `root` is the folder that all deployments of the server are in.

    A lock that is no deployment's has a name with a dot in front, which no customer's name has.
    """
    return root / ".locks" / lock(name)


@contextlib.contextmanager
def locked(file: Path, *, seconds: float) -> Iterator[None]:
    """Hold a lock, which is a file, after waiting for it for at most `seconds`; LockHeldError where that is not enough.

    The kernel gives it back when the process ends, however it ends.
    """
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    end = time.monotonic() + seconds
    with file.open("w") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise LockHeldError(
                        f"another deployment holds the lock {file} for longer than {seconds:.0f} s"
                    ) from None
                time.sleep(0.2)
        yield
