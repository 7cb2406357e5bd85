"""Lists all that this server has of deployments: by name, how many containers, which volumes by Docker's names, and the
folder.

A deployment is known by its folder, by containers whose label says that they were made from it, and by volumes with a
label of ours; each may be there without the others.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from clawdet_infra.agent.docker import DIRECTORY, OWN, PROJECT, VERSION, VOLUME, listed
from clawdet_infra.agent.errors import DeploymentError
from clawdet_infra.agent.names import PREFLIGHT

_SECONDS = 60


def main(root: str) -> int:
    """Print as JSON what there is; `root` is the folder that deployments are in."""
    try:
        print(json.dumps(deployments(root)))
    except (DeploymentError, OSError) as error:
        print(f"Docker does not say what there is: {' '.join(str(error).split())[-300:]}", file=sys.stderr)
        return 1
    return 0


def deployments(root: str) -> dict[str, dict[str, Any]]:
    """Return what there is, by the deployment's name.  Raises DeploymentError where Docker does not answer."""
    found: dict[str, dict[str, Any]] = {}

    def at(name: str) -> dict[str, Any]:
        return found.setdefault(name, {"folder": None, "containers": 0, "volumes": []})

    for folder in Path(root).glob("[!.]*"):
        # A deployment that was removed by hand, or cut off, may have left one of the two.
        if (folder / "releases").is_dir() or os.path.lexists(folder / "current"):
            at(folder.name)["folder"] = str(folder)
    for (made_from,) in listed("ps", "--all", labels=[DIRECTORY], seconds=_SECONDS):
        if Path(made_from).parent == Path(root):
            at(Path(made_from).name)["containers"] += 1
    of_volumes = [OWN, PROJECT, VERSION, VOLUME]
    for called, own, project, version, volume in listed(
        "volume", "ls", labels=of_volumes, more=("Name",), seconds=_SECONDS
    ):
        # Until November 2026, volumes with data had two of Compose's labels; those that Compose made have more.
        older = volume == "state" and not version
        name = own or (project if older or project in found else "")
        if name:
            at(name.removesuffix(PREFLIGHT))["volumes"].append(called)
    return {name: {**one, "volumes": sorted(one["volumes"])} for name, one in sorted(found.items())}
