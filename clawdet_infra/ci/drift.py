"""The nightly check: is the running fleet what the main branch declares?"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from clawdet_infra.ci.commands import Commands, Done
from clawdet_infra.ci.data_loss import NamedLosses
from clawdet_infra.ci.errors import SettingsError
from clawdet_infra.ci.markdown import listed, paragraphs, sanitize
from clawdet_infra.ci.preview import preview_command, told
from clawdet_infra.ci.report import Report
from clawdet_infra.ci.run import Run
from clawdet_infra.ci.secrecy import has_secrets, with_secrets

KIND = "drift"
NONE = 0
STRAYS = 7
"""How `clawdet strays` ends where it finds any."""

DRIFTED = frozenset({5, 7})
"""How a preview ends that finds changes where none were expected; 5 where they would also lose something."""


def drift(run: Run, stacks: Sequence[str], environment: Mapping[str, str], commands: Commands) -> Report:
    """Compare the cloud and the state with what is declared, and return the report.

    Raises SettingsError where the job has no secrets.
    """
    if not has_secrets(environment):
        raise SettingsError(
            "The job has no secret, so it cannot look at the fleet. Set PULUMI_BACKEND_URL, PULUMI_CONFIG_PASSPHRASE "
            "(or PULUMI_ACCESS_TOKEN) and HCLOUD_TOKEN among the secrets of the repository."
        )
    command = preview_command(stacks, NamedLosses(), "--refresh", "--expect-no-changes")
    done = commands(command, with_secrets(environment), quiet=True)
    strays = commands(["clawdet", "strays", "--json"], with_secrets(environment), quiet=True)
    footer = f"<sub>Commit `{run.commit[:12]}`, [job]({run.page})</sub>"
    if done.code == NONE:
        first = "The fleet is as it is declared." if strays.code != STRAYS else "The stacks are as they are declared."
    elif done.code in DRIFTED:
        first = (
            "The fleet is not what the main branch declares. Either somebody changed it by hand, or what was merged is "
            "not deployed yet. The next deployment would do this:"
        )
    else:
        first = f"The check could not be made (exit code {done.code})."
    # What servers have besides is drift too, but no engine sees it.  A job that may not log in to them says so only.
    code = STRAYS if strays.code == STRAYS and done.code in (NONE, *DRIFTED) else done.code
    parts = [first, told(done), *strays_told(strays), footer]
    return Report(kind=KIND, code=code, commit=run.commit, text=paragraphs(parts))


def strays_told(done: Done) -> list[str]:
    """Return what `clawdet strays --json` found as Markdown; no address is in it, since issues may be public."""
    if done.code == NONE:
        return []
    try:
        found = json.loads(done.output)
        strays = [
            f"- {one['server']}: {one['deployment']}, {one['containers']} containers, "
            f"volumes {listed(one['volumes']) or 'none'}"
            for one in found["strays"]
        ]
        unasked = listed(sorted(found["failures"]))
    except (ValueError, KeyError, TypeError):
        return [f"Servers were not asked for strays: `clawdet strays` ended with {done.code}."]
    parts = ["On servers, and declared by no stack:", sanitize("\n".join(strays))] if strays else []
    if unasked:
        parts.append(f"These servers could not be asked for strays: {unasked}. `clawdet strays` says why.")
    return parts
