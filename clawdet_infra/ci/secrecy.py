"""Which variables of a job are secrets, and which commands get them; `clawdet_infra.redaction` hides their values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from clawdet_infra.ci.errors import SettingsError
from clawdet_infra.redaction import Redactor

OF_THE_FLEET = (
    "PULUMI_BACKEND_URL",
    "PULUMI_CONFIG_PASSPHRASE",
    "PULUMI_CONFIG_PASSPHRASE_FILE",
    "PULUMI_ACCESS_TOKEN",
    "HCLOUD_TOKEN",
    "CLAWDET_CATALOG",
    "CLAWDET_REGISTRY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
)
"""What gives access to the fleet's state, secrets and servers."""

OF_THE_FORGE = ("GITHUB_TOKEN", "CLAWDET_GITLAB_TOKEN")
"""What may write comments and issues.  The command gets none of it."""

_OF_THE_RUNNER = ("ACTIONS_RUNTIME_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "CI_JOB_TOKEN", "CI_REGISTRY_PASSWORD")


def has_secrets(environment: Mapping[str, str]) -> bool:
    """Whether the job was given the fleet's state and secrets.

    Raises SettingsError where it was given some of what it needs: then one is missing, and not all.
    """
    given = [name for name in OF_THE_FLEET if environment.get(name)]
    if given and not environment.get("PULUMI_BACKEND_URL"):
        raise SettingsError(
            f"{given[0]} is set, but PULUMI_BACKEND_URL is not, so nobody knows where the state is. "
            "Set it among the secrets (for Pulumi Cloud, to https://api.pulumi.com)."
        )
    return bool(given)


def with_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables for a command that works on the fleet.

    A secret that is not set is an empty variable on GitHub; the command shall not take it for a value.
    """
    return {
        name: value
        for name, value in environment.items()
        if name not in (*OF_THE_FORGE, *_OF_THE_RUNNER) and (value or name not in OF_THE_FLEET)
    }


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables for a command that shall know nothing of the fleet."""
    return {name: value for name, value in with_secrets(environment).items() if name not in OF_THE_FLEET}


def redactor(environment: Mapping[str, str]) -> Redactor:
    """Return what takes all secrets of this job out of a text."""
    names = (*OF_THE_FLEET, *OF_THE_FORGE, *_OF_THE_RUNNER)
    secrets = {environment[name] for name in names if environment.get(name)}
    if file := environment.get("PULUMI_CONFIG_PASSPHRASE_FILE"):
        secrets.discard(file)
        secrets |= {line for line in _lines(Path(file)) if line}
    return Redactor(secrets)


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError):
        return []  # The engine says so better.
