"""What runs on a server: one compose project, put there over SSH."""

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
from clawdet_infra.components.foundation import Place
from clawdet_infra.paths import ROOT
from clawdet_infra.resources import FORMER_DEPLOYMENT, REMOTE_COMMAND


@dataclass(frozen=True)
class DeploymentArgs:
    """One deployment.

    `project` is its compose project, and `agent` what Pulumi calls the copy of the agent that deploys it.  `summary` is
    what a reviewer should see of it in the preview: readable, without secrets.  `payload`, secret, goes to the server
    by stdin; see `clawdet_infra.render`.  `remove_with` is the server where the deployment goes with it; None means
    that it shares the server, so that its containers and its data have to be removed one by one.

    The deployment waits for `after`, and its server needs nothing before `reached`.  `former_names` are what Pulumi
    called the deployment formerly, and `within` is the type of what it is in.
    """

    place: Place
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
    """Declare a compose project on a server, updated in place, and the agent that deploys it there.

    It fails, with the previous release put back, when the new one does not get ready in time.  Its stdout is what the
    deployment said of itself: JSON without secrets.
    """
    path = render.agent_path(args.project)
    agent = CopyToRemote(
        args.agent,
        connection=args.place.connection,
        source=pulumi.FileAsset(str(_agent_file())),
        remote_path=path,
        # Another server has no agent yet.
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
        # The error of a failed command shows the command, so what is secret travels by stdin.
        stdin=pulumi.Output.secret(args.payload),
        add_previous_output_in_env=False,
        logging=Logging.NONE,
        opts=pulumi.ResourceOptions(
            parent=parent,
            depends_on=[agent, *args.after],
            deleted_with=args.remove_with,
            # Should it ever be replaced: the old one's removal must not hit what the new one has just started.
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
    """Return the path of a file with the agent, which is written where it is not there.

    The state keeps the path and a digest of the content, by which alone the engine tells whether it has changed.
    """
    package = build()
    path = ROOT / ".clawdet" / "agent" / f"{package.digest}.pyz"
    write(path, package.content, 0o644)
    return str(path)
