"""The server itself: is it prepared, and is nobody else deploying?"""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from clawdet_infra.remote.commands import run
from clawdet_infra.remote.failures import DeploymentError

LOCKS = Path("/run/lock/clawdet")
_PREPARED_SECONDS = 900
_DOCKER_SECONDS = 120


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


@contextlib.contextmanager
def locked(name: str, *, seconds: float) -> Iterator[None]:
    """Hold a lock of this server, after waiting for it for at most `seconds`.

    The kernel gives it back when the process ends, however it ends.
    """
    LOCKS.mkdir(mode=0o700, parents=True, exist_ok=True)
    end = time.monotonic() + seconds
    with (LOCKS / f"{name}.lock").open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise DeploymentError(
                        f"another deployment holds the lock {name} for longer than {seconds:.0f} s"
                    ) from None
                time.sleep(0.2)
        yield
