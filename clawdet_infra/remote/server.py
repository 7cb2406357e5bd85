"""The server itself: is it prepared, and is nobody else deploying?"""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from clawdet_infra.remote.commands import run
from clawdet_infra.remote.failures import DeploymentError, LockHeldError
from clawdet_infra.remote.names import lock

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
