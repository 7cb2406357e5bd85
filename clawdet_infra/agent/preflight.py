"""Is a deployment ready?  Judged by what its containers are and by the bodies of the gateway's own answers."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import secrets
import socket
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clawdet_infra.agent import attempts
from clawdet_infra.agent.commands import run
from clawdet_infra.agent.containers import Project, remove_network
from clawdet_infra.agent.docker import Container
from clawdet_infra.agent.errors import DeploymentError, LockHeldError, ProbeError
from clawdet_infra.agent.names import OLD_PREFLIGHT, preflight
from clawdet_infra.agent.readiness import has_started, is_ready, refuses_data
from clawdet_infra.agent.releases import Release
from clawdet_infra.agent.server import lock_file, locked

_PORT = 18789
_MOUNTED = ("openclaw.json", "openclaw.defaults.json", "merge-config.mjs", "settings.mjs", "compile-cache.mjs")
# The bot may speak to one gateway only, and that is the running one; a trial that fails stays down; and should the
# memory get short, the trial goes and not a customer's gateway.
_OVERLAY = """\
services:
  gateway:
    environment: {TELEGRAM_BOT_TOKEN: !reset null}
    restart: "no"
    oom_score_adj: 1000
"""
_TRIAL_MEMORY = 1536 * 1024**2
_PAUSE_SECONDS = 1.0
_MOST_RESTARTS = 2
_ANSWER_SECONDS = 8
_ANSWER_BYTES = 64 * 1024
_SHOWN_CHARACTERS = 600


def wait_until_ready(project: Project, token: str | None, *, seconds: float) -> None:
    """Wait until all containers run and are healthy, and the gateway, if there is one, says that it started.

    A channel that does not reach its service does not matter; data that the gateway refuses do.  `token` is the
    gateway's, with which it says why it is not ready; None means that there is no gateway.  Raises ProbeError when that
    takes too long, and at once when a container has died again and again.
    """
    end = time.monotonic() + seconds
    while True:
        containers = project.containers()
        failure = _containers(project, containers) or (token and _gateway(_address(containers), token)) or None
        if failure is None:
            return
        if failure.final:
            raise failure
        if time.monotonic() > end:
            raise ProbeError(failure.probe, f"not ready within {seconds:.0f} s", failure.last_answer)
        time.sleep(_PAUSE_SECONDS)


def _containers(project: Project, containers: list[Container]) -> ProbeError | None:
    if not containers:
        return ProbeError("containers", "there is none", "")
    for one in containers:
        if one.status != "running" or one.restarts > _MOST_RESTARTS:
            code = f"exit code {one.exit_code}, " if one.exit_code else ""
            last = f"{code}{attempts.log_reason(project, one.service)}"
            once = one.status == "exited" and one.policy == "no"
            if once or one.restarts >= _MOST_RESTARTS:
                return ProbeError("restarts", f"{one.service} does not stay up", last, final=True)
            return ProbeError("containers", f"{one.service} is {one.status}", last)
        # The gateway is asked itself, more often than Docker asks it.
        if one.service != "gateway" and one.health not in (None, "healthy"):
            return ProbeError("containers", f"{one.service} is {one.health}", one.health_output)
    return None


def _gateway(address: str | None, token: str) -> ProbeError | None:
    if address is None:
        return ProbeError("startupz", "the gateway has no address", "")
    try:
        status, text = _ask(address, "/startupz", token)
    except (OSError, http.client.HTTPException) as error:
        return ProbeError("startupz", "the gateway does not answer", str(error) or type(error).__name__)
    started = has_started(status, text)
    if started is False:
        return ProbeError("startupz", "the gateway has not started", f"HTTP {status} {text[:_SHOWN_CHARACTERS]}")
    try:
        status, text = _ask(address, "/readyz", token)
    except (OSError, http.client.HTTPException) as error:
        status, text = 0, str(error) or type(error).__name__
    if refuses_data(text) or not (started or is_ready(status, text)):
        return ProbeError("readyz", "the gateway is not ready", f"HTTP {status} {text[:_SHOWN_CHARACTERS]}")
    return None


def _ask(address: str, path: str, token: str) -> tuple[int, str]:
    """Return status and beginning of an answer, which has to be complete within `_ANSWER_SECONDS`.

    A bound on each read would let a gateway that sends a byte now and then hold the deployment up.
    """
    asking = http.client.HTTPConnection(address, _PORT, timeout=_ANSWER_SECONDS)
    end = time.monotonic() + _ANSWER_SECONDS
    late = threading.Timer(_ANSWER_SECONDS, _cut, [asking])
    late.daemon = True
    late.start()
    try:
        asking.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        answer = asking.getresponse()
        status, text = answer.status, answer.read(_ANSWER_BYTES).decode(errors="replace")
        if time.monotonic() >= end:
            raise TimeoutError(f"the answer was not complete within {_ANSWER_SECONDS} s")
        return status, text
    finally:
        late.cancel()
        asking.close()


def _cut(asking: http.client.HTTPConnection) -> None:
    with contextlib.suppress(OSError, AttributeError):
        asking.sock.shutdown(socket.SHUT_RDWR)


def _address(containers: list[Container]) -> str | None:
    """Return where this server reaches the gateway: its own address, or that of the namespace which it shares."""
    found = {one.service: one.addresses or {} for one in containers}
    addresses = found.get("namespace") or found.get("gateway") or {}
    return next(filter(None, addresses.values()), None)


def try_out(name: str, directory: Path, release: Release, *, seconds: float) -> None:
    """Start the gateway of a release beside the one that runs, with nothing of the customer's, and see it get ready.

    So an image that cannot start, or that refuses the configuration, never takes the old one down.  What has passed
    once on this server is not tried again.
    """
    passed = directory.parent / ".tried" / _key(release, directory)
    if passed.exists():
        return
    with tempfile.TemporaryDirectory(prefix="clawdet-try-") as folder:
        trial = Path(folder)
        (trial / "compose.yaml").write_text((release.folder / "compose.yaml").read_text())
        token = secrets.token_hex(32)
        (trial / ".env").write_text(_throw_away_environment(token))
        overlay = trial / "overlay.yaml"
        overlay.write_text(_OVERLAY)
        project = Project(preflight(name), directory, trial, overlay=overlay)
        project.remove(volumes=True)
        try:
            project.own_state("state")
            project.up("gateway")
            wait_until_ready(project, token, seconds=seconds)
        except DeploymentError as error:
            attempts.keep(project, directory, release, error)
            raise
        finally:
            project.remove(volumes=True)
    passed.parent.mkdir(mode=0o700, exist_ok=True)
    passed.touch()


def clear_preflights(name: str, directory: Path) -> None:
    """Remove what a killed preflight of a deployment left, also one of a release that gave it another name.

    The caller holds the deployment's lock.
    """
    Project(preflight(name), directory, directory).remove(volumes=True)
    root = directory.parent
    with contextlib.suppress(LockHeldError), locked(lock_file(root, f"{name}{OLD_PREFLIGHT}"), seconds=0):
        _clear_old_preflight(root, name)
    # The other way round: an older release's preflight of another customer used this deployment's name.
    if name.endswith(OLD_PREFLIGHT):
        _clear_old_preflight(root, name.removesuffix(OLD_PREFLIGHT))


def _clear_old_preflight(root: Path, name: str) -> None:
    """Remove a preflight that has a name which may be another customer's.

    Its containers are told from the other customer's by the folder in their labels.  What they use goes with them, but
    not where that customer is on this server, since it then is that customer's.  May be deleted in 2027, when no
    server has a preflight of that time.
    """
    old = f"{name}{OLD_PREFLIGHT}"
    project = Project(old, root / name, root / name)
    containers = project.containers()
    project.remove_containers()
    if (root / old).exists():
        return
    for network in {name for one in containers for name in one.addresses or ()}:
        if network.startswith(f"{old}_"):
            remove_network(network)
    for mount in (mount for one in containers for mount in one.mounts if mount.kind == "volume"):
        if mount.name.startswith(f"{old}_"):
            run(["docker", "volume", "rm", mount.name], seconds=60)


def upgrades(new: Release, good: Release | None) -> bool:
    """Whether a release changes how the gateway starts; the first release of all has nothing to protect."""
    return good is not None and _how_it_starts(new.facts) != _how_it_starts(good.facts)


def room_for_trial(meminfo: Path = Path("/proc/meminfo")) -> bool:
    """Whether a second gateway fits into the server's memory for a moment."""
    lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines() if ":" in line)
    return int(lines["MemAvailable"].split()[0]) * 1024 >= _TRIAL_MEMORY


def _how_it_starts(facts: Mapping[str, Any]) -> object:
    mounted = [path for path in facts["config"] if path.rpartition("/")[2] in _MOUNTED]
    return facts["images"].get("gateway"), mounted


def _key(release: Release, directory: Path) -> str:
    content = (release.folder / "compose.yaml").read_text()
    return hashlib.sha256(f"{directory}\n{content}".encode()).hexdigest()


def _throw_away_environment(token: str) -> str:
    return (
        f"OPENCLAW_GATEWAY_TOKEN='{token}'\nANTHROPIC_API_KEY='none'\nAUTH_PASSWORD='none'\nTELEGRAM_BOT_TOKEN='none'\n"
    )
