"""Deploys one release, or removes a deployment; safe to run again after it was stopped at any point."""

from __future__ import annotations

import base64
import bz2
import json
import sys
import time
import traceback
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from clawdet_infra.agent import attempts, edge, preflight, proxy, server
from clawdet_infra.agent.containers import Project, forget, pull
from clawdet_infra.agent.errors import DeploymentError
from clawdet_infra.agent.install import System, forget_agents, install
from clawdet_infra.agent.package import Package
from clawdet_infra.agent.releases import Release, Releases
from clawdet_infra.agent.state import SavedState
from clawdet_infra.error_line import FailureCode, marked
from clawdet_infra.redaction import Redactor, values_of

# A second run waits for the first, for example where the client was killed and the program here was not.
_LOCK_SECONDS = 900


def main(action: str, text: str, package: Package, system: System) -> int:
    """Deploy a payload, or `remove` what it deployed; print one line, and return the exit code.

    A removal may get the payload of an older or a newer release than this one's.
    """
    payload = json.loads(text)
    redact = Redactor(values_of(payload["environment"]).values())
    begun = time.monotonic()
    try:
        if action == "remove":
            remove(payload, system)
            report: dict[str, Any] = {"removed": payload["name"]}
        else:
            report = Deployment(unpacked(payload, package), package, system).run()
    except (DeploymentError, OSError) as error:
        code = error.code if isinstance(error, DeploymentError) else FailureCode.DEPLOYMENT
        print(marked(code, f"{payload['name']}: {redact.line(str(error), 900)}"), file=sys.stderr)
        return 1
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        what = redact.line(f"{type(error).__name__}: {error}")
        text = f"{payload['name']}: the deployment broke in {where.filename}:{where.lineno}: {what}"
        print(marked(FailureCode.INTERNAL, text), file=sys.stderr)
        return 1
    print(json.dumps({**report, "seconds": round(time.monotonic() - begun, 1)}))
    return 0


def unpacked(payload: Mapping[str, Any], package: Package) -> dict[str, Any]:
    """Return a payload with what is packed in it; files that are the same for all customers come from the package."""
    inner = json.loads(bz2.decompress(base64.b85decode(payload["packed"])))
    for file in inner["files"].values():
        if "shared" in file:
            file["content"] = package.file(file.pop("shared"))
    return {**payload, **inner}


class Deployment:
    """Brings up what a payload describes, on this server."""

    def __init__(self, payload: Mapping[str, Any], package: Package, system: System) -> None:
        self._payload = payload
        self._package = package
        self._system = system
        self._name: str = payload["project"]
        self._directory = Path(payload["directory"])
        self._releases = Releases(self._directory)
        self._project = Project(self._name, self._directory, self._directory / "current")
        self._has_gateway = payload["kind"] == "customer"
        self._proxy = "proxy" if self._has_gateway else "edge"
        self._token = values_of(payload["environment"])["OPENCLAW_GATEWAY_TOKEN"] if self._has_gateway else None

    def run(self) -> dict[str, Any]:
        """Deploy; put the previous release back and raise DeploymentError where the new one does not get ready."""
        server.wait_until_prepared()
        with self._lock(self._name):
            # Customers of one host are deployed side by side.  The name is none that a customer can have.
            with self._lock(".guard"):
                install(self._package, self._system)
                forget_agents(self._name, self._system, kept=self._package.path)
                # Only hosts that customers share have more networks than Docker has addresses for.
                if not self._has_gateway:
                    server.set_address_pools(self._system.docker_settings)
            preflight.clear_preflights(self._name, self._directory)
            self._finish_restore()
        # Not under the lock, which repairs wait for: a registry may take minutes, or ask for a pause.
        pull(self._payload["images"].values())
        with self._lock(self._name):
            restored = False
            release, good = self._releases.stage(self._payload), self._releases.good
            # Another customer's deployment may have deleted one that nothing used yet.
            pull(self._payload["images"].values())
            upgrade = self._has_gateway and preflight.upgrades(release, good)
            if upgrade:
                self._try_out(release)
            try:
                self._start(release, self._payload["start_seconds"], save=upgrade)
            except (DeploymentError, OSError) as error:
                # Whatever went wrong, the gateway may be stopped by now.
                attempts.keep(self._project, self._directory, release, error)
                if good is None:
                    raise
                if good != release:
                    failed = error if isinstance(error, DeploymentError) else DeploymentError(str(error))
                    raise failed.followed_by(self._put_back(good)) from error
                # An upgrade was cut off, and this release refuses what the newer one made of the data.
                if not self._restore():
                    raise
                self._start(release, self._payload["start_seconds"])
                restored = True
            self._accept(release)
        images = dict(self._payload["images"])
        report = {"release": release.number, "digest": self._payload["digest"], "images": images}
        return report | ({"restored": "the data of before the upgrade"} if restored else {})

    def _lock(self, name: str) -> AbstractContextManager[None]:
        return server.locked(server.lock_file(self._directory.parent, name), seconds=_LOCK_SECONDS)

    def _try_out(self, release: Release) -> None:
        # One at a time on a server: its memory is not made for two gateways a customer.
        with self._lock(".trial"):
            if not preflight.room_for_trial():
                return
            self._make_cache(release)
            try:
                preflight.try_out(self._name, self._directory, release, seconds=self._payload["start_seconds"])
            except DeploymentError as error:
                raise error.followed_by("the running release was not touched") from error

    def _start(self, release: Release, seconds: float, *, save: bool = False) -> None:
        if self._has_gateway:
            state = self._state()
            # One that is there is of an upgrade that was interrupted, and from before it.
            if save and not state.saved:
                self._project.stop("gateway")
                state.save()
        else:
            edge.sites(self._directory)
        self._make_cache(release)
        before = self._project.container(self._proxy)
        self._releases.activate(release)
        self._project.up()
        proxy.reload(self._project, self._proxy, before)
        if self._payload["edge"]:
            # Before the gateway is ready, so that the edge fetches the certificate meanwhile.
            edge.attach(self._payload["edge"])
        preflight.wait_until_ready(self._project, self._token, seconds=seconds)
        if not self._has_gateway:
            edge.join_all(self._project, self._directory)

    def _make_cache(self, release: Release) -> None:
        """Make the volume for what the gateway's modules are compiled to, also for the trial of the release."""
        if cache := release.facts.get("compile_cache"):
            self._project.own_state(cache)

    def _put_back(self, good: Release) -> str:
        done = f"release {good.number} is back and serving"
        try:
            try:
                self._start(good, self._payload["start_seconds"])
            except (DeploymentError, OSError):
                if not self._restore():
                    raise
                self._start(good, self._payload["start_seconds"])
                done += ", with the data of before the upgrade"
        except (DeploymentError, OSError) as error:
            return f"putting release {good.number} back failed too: {error}"
        self._accept(good)
        return done

    def _restore(self) -> bool:
        """Put the data of before the upgrade back; False where there is no copy."""
        if not self._has_gateway:
            return False
        state = self._state()
        if not state.saved:
            return False
        self._project.stop("gateway")
        state.restore()
        return True

    def _finish_restore(self) -> None:
        """Go on with a restore that was cut off, before anything starts on the data."""
        if self._has_gateway and self._releases.good and (state := self._state()).restoring:
            self._project.stop("gateway")
            state.restore()

    def _state(self) -> SavedState:
        good = self._releases.good
        return SavedState(self._directory, self._project.own_state("state"), good.number if good else None)

    def _accept(self, release: Release) -> None:
        for image in self._releases.accept(release):
            forget(image)
        if self._has_gateway:
            self._state().forget()
            self._project.forget_caches(release.facts.get("compile_cache"))


def remove(payload: Mapping[str, Any], system: System) -> None:
    """Remove a deployment with its data."""
    server.wait_until_prepared()
    directory = Path(payload["directory"])
    with server.locked(server.lock_file(directory.parent, payload["project"]), seconds=_LOCK_SECONDS):
        if payload["edge"]:
            edge.detach(payload["edge"])
        preflight.clear_preflights(payload["project"], directory)
        Project(payload["project"], directory, directory / "current").remove(volumes=True)
        Releases(directory).remove()
        forget_agents(payload["project"], system)
