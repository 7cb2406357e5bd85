"""What `python -m localcloud` does: start, stop, remove and describe one cloud."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from localcloud.info import Info
from localcloud.paths import Paths
from localcloud.process import only_one, running_pid, stop
from localcloud.progress import StartError, follow
from localcloud.running import Running
from localcloud.settings import Behaviour, Settings, SettingsError, decide, draft_of

Say = Callable[[str], None]

_STOP_SECONDS = 30.0
_ANSWER_SECONDS = 2.0


def up(
    paths: Paths,
    say: Say,
    *,
    api_only: bool = False,
    egress: bool = False,
    port: int | None = None,
    dns_port: int | None = None,
    behaviour: Behaviour | None = None,
) -> Info:
    """Make the cloud run as asked for, and return when everything answers.

    A cloud that runs just so is left alone.  One that runs otherwise, or with an older version of this code, gets a new
    daemon; its servers do not notice.
    """
    with _alone(paths, say):
        before = Settings.load(paths.settings)
        settings = decide(
            before,
            paths.name,
            api_only=api_only,
            egress=egress,
            port=port,
            dns_port=dns_port,
            behaviour=behaviour,
        )
        if running_pid(paths.pid) is not None:
            if settings == before and Running.wanted(settings) == Running.load(paths.running) and answers(settings):
                say(f"the cloud '{paths.name}' is up")
                return _info(paths)
            say("restarting the daemon, because it runs with other settings or an older version")
            stop(paths.pid, _STOP_SECONDS)
        settings.save(paths.settings)
        _start_daemon(paths, say)
        return _info(paths)


def down(paths: Paths, say: Say) -> None:
    """Stop the daemon and shut the servers down; everything that was on them stays."""
    with _alone(paths, say):
        settings = Settings.load(paths.settings)
        if settings is None:
            say(f"there is no cloud '{paths.name}'")
            return
        if stop(paths.pid, _STOP_SECONDS):
            say("the daemon has stopped")
        if not settings.api_only:
            _release_machines(paths, say)
        say(f"the cloud '{paths.name}' is down; its servers' disks and its state are kept")


def destroy(paths: Paths, say: Say) -> None:
    """Remove everything that this cloud has made, and nothing else."""
    with _alone(paths, say):
        settings = Settings.load(paths.settings)
        if settings is None and paths.home.is_dir() and _content(paths):
            raise SettingsError(
                f"{paths.home} is not the home of a cloud (it has no settings.json), so it is left alone"
            )
        if stop(paths.pid, _STOP_SECONDS):
            say("the daemon has stopped")
        if settings is not None and not settings.api_only:
            _destroy_machines(paths, say)
        if paths.home.is_dir():
            _remove_home(paths)
        say(f"the cloud '{paths.name}' is gone")


def _content(paths: Paths) -> list[Path]:
    """What is in a home, without the settings that a killed start was writing."""
    return [entry for entry in paths.home.iterdir() if entry != draft_of(paths.settings)]


def _remove_home(paths: Paths) -> None:
    """Remove a home, the settings last: where this is killed half-way, they say that the rest is a cloud's."""
    for entry in paths.home.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        elif entry != paths.settings:
            entry.unlink()
    paths.settings.unlink(missing_ok=True)
    paths.home.rmdir()


def answers(settings: Settings) -> bool:
    """Whether the API answers at all: one that asks for a token does."""
    try:
        with urllib.request.urlopen(f"{settings.endpoint}/locations", timeout=_ANSWER_SECONDS):  # noqa: S310
            return True
    except urllib.error.HTTPError as error:
        with error:
            return True
    except OSError:
        return False


def status(paths: Paths) -> dict[str, bool]:
    """Which part of the cloud answers, by name; `daemon` is whether its process lives."""
    parts = {"daemon": running_pid(paths.pid) is not None}
    settings = Settings.load(paths.settings)
    info = Info.load(paths.info)
    if settings is None or info is None:
        return parts
    parts["api"] = answers(settings)
    parts["dns"] = _accepts(info.dns)
    if info.registry and info.acme:
        parts["registry"] = _accepts(info.registry)
        parts["acme"] = _accepts(info.acme.directory.split("/")[2])
    return parts


def _accepts(address: str) -> bool:
    host, port = address.rsplit(":", 1)
    try:
        with socket.create_connection((host, int(port)), timeout=_ANSWER_SECONDS):
            return True
    except OSError:
        return False


def _info(paths: Paths) -> Info:
    info = Info.load(paths.info)
    assert info is not None, "a ready daemon has written it"
    return info


def _alone(paths: Paths, say: Say) -> contextlib.AbstractContextManager[None]:
    return only_one(paths.command_lock, lambda: say(f"waiting for another command on the cloud '{paths.name}'"))


def _start_daemon(paths: Paths, say: Say) -> None:
    """Start the daemon in a session of its own, so that it outlives this terminal, and wait for it."""
    paths.progress.unlink(missing_ok=True)
    paths.progress.touch()
    code = Path(__file__).parent.parent
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (str(code), os.environ.get("PYTHONPATH"))))}
    command = [sys.executable, "-m", "localcloud.daemon", "--name", paths.name, "--home", str(paths.home)]
    with paths.log.open("ab") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=paths.home,
            env=environment,
            start_new_session=True,
        )
    try:
        for text in follow(paths.progress, lambda: process.poll() is None):
            say(text)
    except StartError as error:
        process.wait(timeout=_STOP_SECONDS)
        raise StartError(f"the cloud '{paths.name}' did not start: {error}") from None
    except BaseException:
        # Ctrl-C: half a cloud that goes on starting by itself would be a surprise.
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=_STOP_SECONDS)
        process.kill()
        process.wait()
        raise
    # Popen warns about a process that is still running when it is forgotten; this one is meant to be.
    process.returncode = 0


def _release_machines(paths: Paths, say: Say) -> None:
    from localcloud.host import ensure_docker
    from localcloud.machines.docker import DockerMachines

    host = ensure_docker()
    say("shutting the servers down")
    asyncio.run(DockerMachines(paths.slug, paths.home, host.host).release())


def _destroy_machines(paths: Paths, say: Say) -> None:
    from localcloud.host import ensure_docker, stop_docker_if_unused
    from localcloud.machines.docker import DockerMachines

    host = ensure_docker()
    say("removing servers, disks and network")
    asyncio.run(DockerMachines(paths.slug, paths.home, host.host).destroy())
    if host.started_by_us:
        stop_docker_if_unused()


class Teller:
    """Prints lines for a person, with the seconds since the start."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def __call__(self, text: str) -> None:
        """Print one line."""
        print(f"[{time.monotonic() - self._start:6.1f} s] {text}", file=sys.stderr, flush=True)
