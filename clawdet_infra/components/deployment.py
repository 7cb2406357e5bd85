"""A deployment: one Compose project on a server, deployed over SSH."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_command.remote import Command, CopyToRemote, Logging

from clawdet_infra import render
from clawdet_infra.agent.files import write
from clawdet_infra.agent.package import build
from clawdet_infra.components.former import former_urns
from clawdet_infra.components.foundation import HostTarget
from clawdet_infra.paths import ROOT
from clawdet_infra.resources import FORMER_DEPLOYMENT, REMOTE_COMMAND


@dataclass(frozen=True)
class DeploymentArgs:
    """One deployment.

    `project` is its Compose project, and `agent` the resource name of the agent's copy.  `summary` is shown to
    reviewers in the preview: readable, without secrets.  `payload`, secret, is sent to the server by stdin; see
    `clawdet_infra.render`.  `remove_with` is the server if deleting it deletes the deployment; None means that the
    server outlives the deployment, so its containers and data are removed one by one.

    The deployment waits for `after`, and the agent's copy for `reached`.  `former_names` are the deployment's former
    resource names, and `within` is the type of its parent.
    """

    place: HostTarget
    project: str
    agent: str
    summary: pulumi.Input[str]
    payload: pulumi.Input[str]
    remove_with: pulumi.Resource | None
    within: str
    after: Sequence[pulumi.Resource] = ()
    reached: Sequence[pulumi.Resource] = ()
    former_names: Sequence[str] = ()


def deployment(name: str, args: DeploymentArgs, parent: pulumi.Resource) -> Command:
    """Declare a Compose project on a server, updated in place, and the copy of the agent that deploys it.

    If the new release is not ready in time, the previous one is restored and the update fails.  Stdout is the
    deployment's report: JSON without secrets.
    """
    path = render.agent_path(args.project)
    agent = CopyToRemote(
        args.agent,
        connection=args.place.connection,
        source=pulumi.FileAsset(str(_agent_file())),
        remote_path=path,
        # A new server does not have the agent.
        triggers=[args.place.identity],
        opts=pulumi.ResourceOptions(
            parent=parent, deleted_with=args.remove_with, depends_on=[*args.reached, *args.place.ready]
        ),
    )
    return Command(
        name,
        connection=args.place.connection,
        create=pulumi.Output.from_input(args.summary).apply(lambda summary: render.deploy_command(summary, path)),
        delete=render.remove_command() if args.remove_with is None else None,
        # The error of a failed command contains the command, so secrets are sent by stdin.
        stdin=pulumi.Output.secret(args.payload),
        add_previous_output_in_env=False,
        logging=Logging.NONE,
        opts=pulumi.ResourceOptions(
            parent=parent,
            depends_on=[agent, *args.after],
            deleted_with=args.remove_with,
            # On a replacement, the removal of the old one must not remove the containers of the new one.
            delete_before_replace=True,
            aliases=former_urns(
                REMOTE_COMMAND,
                *args.former_names,
                within=f"{args.within}${FORMER_DEPLOYMENT}",
            ),
        ),
    )


@functools.cache
def _agent_file() -> str:
    """Return the path of a file with the agent, which is created if it is missing.

    The state keeps the path and a digest of the content; the engine detects changes by the digest only.
    """
    package = build()
    path = ROOT / ".clawdet" / "agent" / f"{package.digest}.pyz"
    write(path, package.content, 0o644)
    return str(path)
