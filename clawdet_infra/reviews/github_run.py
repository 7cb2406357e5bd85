"""What GitHub Actions says about a run, by its variables and the event's payload."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clawdet_infra.reviews.errors import SettingsError
from clawdet_infra.reviews.run import Change, Forge, Run, commit_in, commit_or_none, number_in, required


def read(environment: Mapping[str, str]) -> Run:
    """Return the run.  Raises SettingsError where a variable or the payload is not as GitHub documents it."""
    event = _event(Path(required(environment, "GITHUB_EVENT_PATH")))
    summary = environment.get("GITHUB_STEP_SUMMARY")
    server, project = required(environment, "GITHUB_SERVER_URL"), required(environment, "GITHUB_REPOSITORY")
    change = _change(event) if "pull_request" in event else None
    return Run(
        forge=Forge.GITHUB,
        commit=change.head if change else commit_in(required(environment, "GITHUB_SHA"), "GITHUB_SHA"),
        number=number_in(required(environment, "GITHUB_RUN_ID"), "GITHUB_RUN_ID"),
        page=f"{server}/{project}/actions/runs/{environment['GITHUB_RUN_ID']}",
        change=change,
        before=commit_or_none(event.get("before")),
        branch=_branch(environment.get("GITHUB_REF", "")),
        default_branch=_default_branch(event),
        summary=Path(summary) if summary else None,
    )


def _branch(reference: str) -> str | None:
    kind = "refs/heads/"
    return reference.removeprefix(kind) if reference.startswith(kind) else None


def _default_branch(event: Mapping[str, Any]) -> str | None:
    repository = event.get("repository")
    found = repository.get("default_branch") if isinstance(repository, dict) else None
    return found if isinstance(found, str) else None


def _event(file: Path) -> dict[str, Any]:
    try:
        event = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{file}, the event's payload (GITHUB_EVENT_PATH), cannot be read: {error}") from None
    if not isinstance(event, dict):
        raise SettingsError(f"{file}, the event's payload (GITHUB_EVENT_PATH), is not a mapping.")
    return event


def _change(event: Mapping[str, Any]) -> Change:
    where = "of the event's payload (GITHUB_EVENT_PATH)"
    try:
        request = event["pull_request"]
        base, head = request["base"], request["head"]
        # The fork may be deleted meanwhile; then there is no repository.
        theirs = (head["repo"] or {}).get("full_name")
        return Change(
            number=number_in(request["number"], f"pull_request.number {where}"),
            base=commit_in(base["sha"], f"pull_request.base.sha {where}"),
            head=commit_in(head["sha"], f"pull_request.head.sha {where}"),
            target=str(base["ref"]),
            foreign=theirs != base["repo"]["full_name"],
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise SettingsError(f"pull_request {where} is not as documented: {error!r} is missing.") from None
