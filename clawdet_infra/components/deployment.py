"""What runs on a server: one compose project, put there over SSH."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi_command.remote import Command, ConnectionArgs, Logging

from clawdet_infra import render
from clawdet_infra.resources import DEPLOYMENT


@dataclass(frozen=True)
class DeploymentArgs:
    """One deployment.

    `summary` is what a reviewer should see of it in the preview: readable, without secrets.  `payload`, secret, goes
    to the server by stdin; see `clawdet_infra.render`.  `remove_with` is the server where the deployment goes with
    it; None means that it shares the server, so that its containers and its data have to be removed one by one.
    """

    connection: ConnectionArgs
    summary: pulumi.Input[str]
    payload: pulumi.Input[str]
    remove_with: pulumi.Resource | None
    facts: Mapping[str, Any] = field(default_factory=dict)


class Deployment(pulumi.ComponentResource):
    """A compose project on a server, updated in place.

    It fails, with the previous release put back, when the new one does not get ready in time.  `report` is what the
    deployment said of itself: JSON without secrets.
    """

    report: pulumi.Output[str]
    resource: Command

    def __init__(self, name: str, args: DeploymentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(DEPLOYMENT, name, {}, opts)
        self.resource = Command(
            name,
            connection=args.connection,
            create=pulumi.Output.from_input(args.summary).apply(render.deploy_command),
            delete=render.REMOVE_COMMAND if args.remove_with is None else None,
            # The error of a failed command shows the command, so what is secret travels by stdin.
            stdin=pulumi.Output.secret(args.payload),
            add_previous_output_in_env=False,
            logging=Logging.NONE,
            opts=pulumi.ResourceOptions(
                parent=self,
                deleted_with=args.remove_with,
                # Should it ever be replaced: the old one's removal must not hit what the new one has just started.
                delete_before_replace=True,
            ),
        )
        self.report = self.resource.stdout
        self.register_outputs({**args.facts, "report": self.report})
