"""Deploys one release, or removes a deployment; safe to run again after it was stopped at any point."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clawdet_infra.redaction import Redactor, values_of
from clawdet_infra.remote import edge, gateway, server
from clawdet_infra.remote.containers import Project, pull
from clawdet_infra.remote.failures import DeploymentError
from clawdet_infra.remote.releases import Release, Releases

# A second run waits for the first, for example where the client was killed and the program here was not.
_LOCK_SECONDS = 900
_ROLLBACK_SECONDS = 180


def main(payload: Mapping[str, Any]) -> int:
    """Do what the payload says; print one line, and return the exit code."""
    redact = Redactor(values_of(payload["environment"]))
    begun = time.monotonic()
    try:
        if payload["action"] == "remove":
            remove(payload)
            report: dict[str, Any] = {"removed": payload["name"]}
        else:
            report = deploy(payload)
    except (DeploymentError, OSError) as error:
        print(f"{payload['name']}: {redact.line(str(error), 900)}", file=sys.stderr)
        return 1
    print(json.dumps({**report, "seconds": round(time.monotonic() - begun, 1)}))
    return 0


def deploy(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Bring up what the payload describes; put the previous release back and raise where it does not get ready."""
    server.wait_until_prepared()
    directory = Path(payload["directory"])
    releases = Releases(directory)
    is_customer = payload["kind"] == "customer"
    with server.locked(payload["project"], seconds=_LOCK_SECONDS):
        release = releases.stage(payload)
        good = releases.good
        for image in payload["images"].values():
            pull(image)
        if is_customer and gateway.needs_trial(release, good):
            # One at a time on a server, whose memory is not made for two gateways a customer.
            with server.locked("trial", seconds=_LOCK_SECONDS):
                try:
                    gateway.try_out(payload["project"], directory, release, seconds=payload["start_seconds"])
                except DeploymentError as error:
                    untouched = f"release {good.number} was not touched" if good else "nothing ran before"
                    raise DeploymentError(f"{error}; {untouched}") from error
        try:
            _start(payload, releases, release, payload["start_seconds"])
        except DeploymentError as error:
            if good is None or good == release:
                raise
            raise DeploymentError(f"{error}; {_put_back(payload, releases, good)}") from error
        releases.accept(release)
        return {"release": release.number, "digest": payload["digest"], "images": dict(payload["images"])}


def remove(payload: Mapping[str, Any]) -> None:
    """Remove a deployment with its data."""
    server.wait_until_prepared()
    with server.locked(payload["project"], seconds=_LOCK_SECONDS):
        if payload["edge"]:
            edge.detach(payload["edge"])
        directory = Path(payload["directory"])
        for name in (payload["project"], f"{payload['project']}-trial"):
            Project(name, directory, directory / "current").remove(volumes=True)
        Releases(directory).remove()


def _start(payload: Mapping[str, Any], releases: Releases, release: Release, seconds: float) -> None:
    releases.activate(release)
    project = Project(payload["project"], releases.directory, releases.directory / "current")
    if payload["kind"] == "host":
        edge.sites(releases.directory)
        project.up()
        edge.join_all(project)
        gateway.wait_until_ready(project, gateway=False, seconds=seconds)
        return
    project.own_state("state")
    project.up()
    if payload["edge"]:
        edge.attach(payload["edge"])
    gateway.wait_until_ready(project, gateway=True, seconds=seconds)


def _put_back(payload: Mapping[str, Any], releases: Releases, good: Release) -> str:
    try:
        _start(payload, releases, good, _ROLLBACK_SECONDS)
    except DeploymentError as error:
        return f"putting release {good.number} back failed too: {error}"
    return f"release {good.number} is back and serving"
