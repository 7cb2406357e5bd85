"""The check of a pull request: what would it do?"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from clawdet_infra.ci.commands import Commands, Done
from clawdet_infra.ci.data_loss import TRAILER, NamedLosses, has_commit, named_losses
from clawdet_infra.ci.markdown import block, listed, paragraphs, sanitize
from clawdet_infra.ci.report import Report
from clawdet_infra.ci.run import Change, Run
from clawdet_infra.ci.secrecy import has_secrets, with_secrets, without_secrets

KIND = "preview"

_MARK = re.compile(r"\A<!--[^\n]*-->\n")
"""The first line of a report, by which others may find their comment; ours has a mark of its own."""

_MEANING = {
    1: "The preview could not be made. Its messages are in the log of the job.",
    2: "The configuration is wrong, so there is nothing to deploy.",
    5: "Refused, by a policy or because something would be lost that nobody has named. Where a loss is meant, end the "
    f"message of a commit of this branch with the line `{TRAILER}: ID`, with the id of the customer or host.",
}

_WITHOUT_SECRETS = (
    "> **Made without secrets**, against an empty state: this says whether the configuration is right and what a new "
    "fleet would be made of. What it would change in the running fleet was not looked at."
)


def preview(run: Run, stacks: Sequence[str], environment: Mapping[str, str], commands: Commands, root: Path) -> Report:
    """Preview the change on all stacks, and return the report; its code is how the check ends.

    Where the code comes from a fork, or the job has no secrets, nothing of the fleet is read.
    """
    if (run.change is not None and run.change.foreign) or not has_secrets(environment):
        return _unprivileged(run, stacks, environment, commands)
    named = losses_of(run.change, root) if run.change else NamedLosses()
    done = commands(preview_command(stacks, named), with_secrets(environment), quiet=True)
    parts = [told(done), _MEANING.get(done.code, ""), wording(named), _footer(run)]
    return Report(kind=KIND, code=done.code, commit=run.commit, text=paragraphs(parts))


def preview_command(stacks: Sequence[str], named: NamedLosses, *options: str) -> list[str]:
    """Return the arguments of a preview."""
    chosen = [part for stack in stacks for part in ("--stack", stack)]
    return ["clawdet", "preview", *chosen, "--markdown", *options, *allowances(named)]


def allowances(named: NamedLosses) -> list[str]:
    """Return the arguments that let go what was named."""
    return [part for identity in named.ids for part in ("--allow-loss", identity)]


def losses_of(change: Change, root: Path) -> NamedLosses:
    """Return what the commits of a change name: those that it adds to its target."""
    # Between the event and this job, the target may have moved on and have been merged into the branch.
    target = f"refs/remotes/origin/{change.target}"
    since = [change.base, *([target] if has_commit(root, target) else [])]
    return named_losses(root, since=since, until=change.head)


def told(done: Done) -> str:
    """Return what a preview says as Markdown; where it said nothing, the end of its messages."""
    if done.output.strip():
        return sanitize(_MARK.sub("", done.output))
    return paragraphs(
        [f"**No preview** (exit code {done.code}).", block(done.messages) if done.messages.strip() else ""]
    )


def wording(named: NamedLosses) -> str:
    """Return in words which losses were named."""
    said = f"Losses named by `{TRAILER}`: {listed(named.ids)}." if named.ids else ""
    if named.refused_in:
        commits = listed([commit[:12] for commit in named.refused_in], most=10)
        said += f" Left out, since it is not the id of a customer or host: the `{TRAILER}` of {commits}."
    return said.strip()


def _unprivileged(run: Run, stacks: Sequence[str], environment: Mapping[str, str], commands: Commands) -> Report:
    bare = without_secrets(environment)
    parts = [_WITHOUT_SECRETS]
    code = 0
    for stack in stacks:
        checked = commands(["clawdet", "validate", "--stack", stack], bare)
        if checked.code != 0:
            code = code or checked.code
            parts += [f"`clawdet validate -s {stack}`:", block(checked.output + checked.messages)]
    if code == 0:
        done = commands(preview_command(stacks, NamedLosses(), "--empty-state"), bare, quiet=True)
        code = done.code
        parts.append(told(done))
    parts += [_MEANING.get(code, ""), _footer(run)]
    return Report(kind=KIND, code=code, commit=run.commit, text=paragraphs(parts))


def _footer(run: Run) -> str:
    return f"<sub>Commit `{run.commit[:12]}`, [job]({run.page})</sub>"
