"""What follows a merge: recover, preview, update."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from clawdet_infra.ci.commands import Commands
from clawdet_infra.ci.data_loss import TRAILER, NamedLosses, has_commit, named_losses
from clawdet_infra.ci.errors import SettingsError
from clawdet_infra.ci.markdown import block, paragraphs
from clawdet_infra.ci.preview import allowances, preview_command, told, wording
from clawdet_infra.ci.report import Report
from clawdet_infra.ci.run import Run, commit_or_none
from clawdet_infra.ci.secrecy import has_secrets, with_secrets
from clawdet_infra.engine.output import updates_of

KIND = "deploy"

_UPDATES_READ = 50
"""How many updates are looked through for the last one that ended well."""

_REFUSED = (
    "**Not deployed.** The preview says that something would be lost that nobody has named, or that a policy is "
    f"broken. Where the loss is meant, push a commit (it may be empty) whose message ends with `{TRAILER}: ID`. "
    "A forge that squashes has to keep these lines in the message of the commit that it makes."
)


def deploy(run: Run, stacks: Sequence[str], environment: Mapping[str, str], commands: Commands, root: Path) -> Report:
    """Update all stacks, one after the other, and return the report.  The first that does not end well is the last.

    Raises SettingsError where the job runs on another branch than the default one, or has no secrets.
    """
    if not run.is_of_default_branch:
        raise SettingsError(
            f"Only the default branch deploys ({run.default_branch or 'CI does not name it'}), and this job runs on "
            f"{run.branch or 'no branch'}. Merge the change, or start the job on the default branch."
        )
    if not has_secrets(environment):
        raise SettingsError(
            "The job has no secret, so it cannot deploy. Set PULUMI_BACKEND_URL, PULUMI_CONFIG_PASSPHRASE (or "
            "PULUMI_ACCESS_TOKEN) and HCLOUD_TOKEN among the secrets of the environment `production`."
        )
    parts = []
    code = 0
    for stack in stacks:
        code, text = _deploy(stack, run, with_secrets(environment), commands, root)
        parts += [f"## `{stack}`" if len(stacks) > 1 else "", text]
        if code != 0:
            break
    parts.append(f"<sub>Commit `{run.commit[:12]}`, [job]({run.page})</sub>")
    return Report(kind=KIND, code=code, commit=run.commit, text=paragraphs(parts))


def _deploy(stack: str, run: Run, environment: Mapping[str, str], commands: Commands, root: Path) -> tuple[int, str]:
    recovered = commands(["clawdet", "recover", "--stack", stack], environment)
    if recovered.code != 0:
        return recovered.code, paragraphs(["**Not deployed**: recovery failed.", block(recovered.messages)])
    named = _named_since_the_last_update(stack, run, environment, commands, root)
    looked = commands(preview_command([stack], named), environment, quiet=True)
    preview = [told(looked), wording(named)]
    if looked.code != 0:
        why = _REFUSED if looked.code == 5 else "**Not deployed**: the preview failed."
        return looked.code, paragraphs([why, *preview])
    begun = time.monotonic()
    done = commands(["clawdet", "up", "--stack", stack, *allowances(named), "--yes", "--non-interactive"], environment)
    seconds = round(time.monotonic() - begun)
    if done.code != 0:
        failed = f"**The update failed** after {seconds} s (exit code {done.code}); what it had made stays."
        return done.code, paragraphs([failed, block(done.output + done.messages), *preview])
    return 0, paragraphs([f"**Deployed** in {seconds} s.", *preview])


def _named_since_the_last_update(
    stack: str, run: Run, environment: Mapping[str, str], commands: Commands, root: Path
) -> NamedLosses:
    """Return what was named by the commits that this deploys.

    A forge may leave out the deployment of a push that another follows at once, and one may have failed.  So these are
    the commits since the last update that ended well, which Pulumi keeps with the stack.
    """
    history = [
        "pulumi",
        "stack",
        "history",
        "--stack",
        stack,
        "--json",
        "--page-size",
        str(_UPDATES_READ),
        "--page",
        "1",
    ]
    read = commands(history, environment, quiet=True)
    succeeded = [one for one in updates_of(read.output) if one.succeeded] if read.code == 0 else []
    since = commit_or_none(succeeded[0].commit) if succeeded else None
    if since is None or not has_commit(root, since):
        since = run.before if run.before and has_commit(root, run.before) else f"{run.commit}~1"
    if not has_commit(root, since):
        return NamedLosses()
    return named_losses(root, since=[since], until=run.commit)
