"""Prints all that this server has of deployments, as JSON: by name, how many containers, which volumes by
Docker's names, and the folder.

The only argument is the folder that deployments are in.  A deployment is known by its folder, by containers whose label
says that they were made from it, and by volumes with a label of ours; each may be there without the others.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

_SECONDS = 60
_COMPOSE = "com.docker.compose"
_OWN = "clawdet.deployment"
_PREFLIGHT = "_preflight"


def deployments(root: str) -> dict[str, dict[str, Any]]:
    """Return what there is, by the deployment's name."""
    found: dict[str, dict[str, Any]] = {}

    def at(name: str) -> dict[str, Any]:
        return found.setdefault(name, {"folder": None, "containers": 0, "volumes": []})

    for folder in Path(root).glob("[!.]*"):
        # A deployment that was removed by hand, or cut off, may have left one of the two.
        if (folder / "releases").is_dir() or os.path.lexists(folder / "current"):
            at(folder.name)["folder"] = str(folder)
    directory = f"{_COMPOSE}.project.working_dir"
    for (made_from,) in listed("ps", "--all", labels=[directory]):
        if Path(made_from).parent == Path(root):
            at(Path(made_from).name)["containers"] += 1
    of_volumes = [_OWN, f"{_COMPOSE}.project", f"{_COMPOSE}.version", f"{_COMPOSE}.volume"]
    for called, own, project, version, volume in listed("volume", "ls", labels=of_volumes, more=("Name",)):
        # Until November 2026, volumes with data had two of Compose's labels; those that Compose made have more.
        older = volume == "state" and not version
        name = own or (project if older or project in found else "")
        if name:
            at(name.removesuffix(_PREFLIGHT))["volumes"].append(called)
    return {name: {**one, "volumes": sorted(one["volumes"])} for name, one in sorted(found.items())}


def listed(*command: str, labels: list[str], more: tuple[str, ...] = ()) -> list[list[str]]:
    """Return of what Docker lists these fields, and then these labels."""
    form = "\t".join([*(f"{{{{.{one}}}}}" for one in more), *(f'{{{{.Label "{one}"}}}}' for one in labels)])
    done = subprocess.run(
        ["docker", *command, "--format", form], capture_output=True, text=True, timeout=_SECONDS, check=True
    )
    return [line.split("\t") for line in done.stdout.splitlines()]


if __name__ == "__main__":
    try:
        print(json.dumps(deployments(sys.argv[1])))
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        print(f"Docker does not say what there is: {' '.join(said.split())[-300:]}", file=sys.stderr)
        sys.exit(1)
