"""Is a deployment ready?  Judged by what its containers are and by the body of the gateway's own answer."""

from __future__ import annotations

import hashlib
import json
import secrets
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clawdet_infra.remote.commands import run
from clawdet_infra.remote.containers import Project
from clawdet_infra.remote.failures import ProbeError
from clawdet_infra.remote.releases import Release

_ASK = (
    'fetch("http://127.0.0.1:18789/readyz",{signal:AbortSignal.timeout(8000)})'
    ".then(async(a)=>console.log(JSON.stringify({status:a.status,body:(await a.text()).slice(0,600)})),"
    "(e)=>console.log(JSON.stringify({error:String(e.cause??e)})))"
)
_MOUNTED = ("openclaw.json", "openclaw.defaults.json", "merge-config.mjs")
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


def wait_until_ready(project: Project, *, gateway: bool, seconds: float) -> None:
    """Wait until all containers run and are healthy, and the gateway says that it is ready.

    Raises ProbeError when that takes too long, and at once when a container has died again and again.
    """
    end = time.monotonic() + seconds
    while True:
        failure = _containers(project) or (_readyz(project) if gateway else None)
        if failure is None:
            return
        given_up = failure.probe == "restarts"
        if given_up or time.monotonic() > end:
            # What a container that does not start says for itself is worth more than what it does not answer.
            raise (
                failure
                if given_up
                else ProbeError(
                    failure.probe,
                    f"not ready within {seconds:.0f} s",
                    str(failure.args[0]).partition("last answer: ")[2],
                )
            )
        time.sleep(_PAUSE_SECONDS)


def _containers(project: Project) -> ProbeError | None:
    found = project.containers()
    if not found:
        return ProbeError("containers", "there is none", "")
    for container in found:
        service = container["Config"]["Labels"]["com.docker.compose.service"]
        state = container["State"]
        what = f"{service} is {state['Status']}"
        if state["Status"] != "running" or container["RestartCount"] > _MOST_RESTARTS:
            code = f"exit code {state['ExitCode']}, " if state["ExitCode"] else ""
            last = f"{code}{_last_words(project, service)}"
            final = state["Status"] == "exited" and container["HostConfig"]["RestartPolicy"]["Name"] == "no"
            dying = final or container["RestartCount"] >= _MOST_RESTARTS
            return ProbeError("restarts" if dying else "containers", f"{service} does not stay up", last)
        health = state.get("Health", {})
        if health.get("Status", "healthy") != "healthy":
            checks = health.get("Log") or [{}]
            said = checks[-1].get("Output", "").strip()
            return ProbeError("containers", what, f"{service} {health['Status']} {said}".strip())
    return None


def _readyz(project: Project) -> ProbeError | None:
    container = project.container("gateway")
    if container is None:
        return ProbeError("readyz", "there is no gateway", "")
    answer = run(["docker", "exec", container, "node", "-e", _ASK], seconds=15)
    try:
        seen = json.loads(answer.output)
        body = json.loads(seen["body"])
        ready = seen["status"] == 200 and isinstance(body, dict) and body.get("ready") is True
    except (ValueError, KeyError, TypeError):
        ready = False
    return None if ready else ProbeError("readyz", "the gateway is not ready", answer.said)


def _last_words(project: Project, service: str) -> str:
    lines = [line.strip() for line in project.logs(service).splitlines() if line.strip()]
    return f"its log ends with: {lines[-1]}" if lines else "its log is empty"


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
        (trial / ".env").write_text(_throw_away_environment())
        overlay = trial / "overlay.yaml"
        overlay.write_text(_OVERLAY)
        project = Project(trial_name(name), directory, trial, overlay=overlay)
        project.remove(volumes=True)
        try:
            project.own_state("state")
            project.up("gateway")
            wait_until_ready(project, gateway=True, seconds=seconds)
        finally:
            project.remove(volumes=True)
    passed.parent.mkdir(mode=0o700, exist_ok=True)
    passed.touch()


def trial_name(name: str) -> str:
    """Return the name of the Compose project in which a deployment's next release is tried out."""
    return f"{name}-trial"


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


def _throw_away_environment() -> str:
    names = ("ANTHROPIC_API_KEY", "OPENCLAW_GATEWAY_TOKEN", "AUTH_PASSWORD", "TELEGRAM_BOT_TOKEN")
    return "".join(f"{name}='{secrets.token_hex(32)}'\n" for name in names)
