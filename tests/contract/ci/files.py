"""The workflows of this checkout."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.support.stack import ROOT

GITHUB = sorted((ROOT / ".github" / "workflows").glob("*.y*ml"))
GITLAB = ROOT / ".gitlab-ci.yml"

_NO_JOBS = ("workflow", "stages", "default", "variables", "include")


def read(file: Path) -> dict[str, Any]:
    content = yaml.safe_load(file.read_text())
    # YAML 1.1 takes the key `on` for true.
    return {("on" if key is True else key): value for key, value in content.items()}


def github_jobs() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Every job on GitHub: what it is called, its workflow, itself."""
    for file in GITHUB:
        workflow = read(file)
        for name, job in workflow["jobs"].items():
            yield f"{file.name}: {name}", workflow, job


def gitlab_jobs() -> dict[str, dict[str, Any]]:
    """Every job on GitLab, with what it extends."""
    content = read(GITLAB)
    jobs = {}
    for name, job in content.items():
        if name.startswith(".") or name in _NO_JOBS:
            continue
        extended = job.get("extends", [])
        parts = [content[one] for one in ([extended] if isinstance(extended, str) else extended)]
        jobs[name] = {key: value for part in [content["default"], *parts, job] for key, value in part.items()}
    return jobs
