"""Which forge runs this job, and so who says what about the run."""

from __future__ import annotations

from collections.abc import Mapping

from clawdet_infra.reviews import github_run, gitlab_run
from clawdet_infra.reviews.errors import SettingsError
from clawdet_infra.reviews.run import Run


def read_run(environment: Mapping[str, str]) -> Run:
    """Return what CI's variables say.  Raises SettingsError where this is no job, or something is missing."""
    if environment.get("GITHUB_ACTIONS"):
        return github_run.read(environment)
    if environment.get("GITLAB_CI"):
        return gitlab_run.read(environment)
    raise SettingsError("Neither GITHUB_ACTIONS nor GITLAB_CI is set: this is made for a job of one of the two.")
