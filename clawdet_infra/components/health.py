"""The health check: an update that leaves a customer unreachable fails."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_command.local import Command, Logging

from clawdet_infra.resources import HEALTH_CHECK

# The program's environment has the probe; without an activated shell it is in .venv.
_PROBE = 'PATH="$PWD/.venv/bin:$PATH" exec python3 -m clawdet_infra.probe'


@dataclass(frozen=True)
class HealthCheckArgs:
    """The probe's target and credentials, and the deployment that it checks.

    The probe runs again only if an input has changed: `guards` is the deployment's report, so that a new release is
    probed and an unchanged customer is not.  `resolver` (address:port) and `ca_bundle` (path of a PEM file) are None
    for the system's own.  `deadline` is in seconds, and so is `record_ttl`: the probe waits this long beyond the
    deadline while a resolver may have cached another address.
    """

    customer: str
    url: str
    ipv4: pulumi.Input[str]
    user: str
    password: pulumi.Input[str]
    gateway_token: pulumi.Input[str]
    deadline: int
    record_ttl: int
    guards: Sequence[pulumi.Input[str]]
    resolver: str | None = None
    ca_bundle: str | None = None


class HealthCheck(pulumi.ComponentResource):
    """Probes a customer from outside: DNS, TLS, `/healthz`, `/startupz`, basic auth, the gateway's API, `/readyz`.

    It fails, and the update with it, if a probe has not passed by the deadline; the error names the customer, the probe
    and the last answer.  A channel that does not reach its service is reported but does not fail the check.  `result`
    is the probe's report: JSON without secrets.
    """

    result: pulumi.Output[str]

    def __init__(self, name: str, args: HealthCheckArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(HEALTH_CHECK, name, {}, opts)
        request = {
            "customer": args.customer,
            "url": args.url,
            "ipv4": args.ipv4,
            "user": args.user,
            "password": args.password,
            "gateway_token": args.gateway_token,
            "deadline_seconds": args.deadline,
            "stale_dns_seconds": args.record_ttl,
            "resolver": args.resolver,
            "ca_bundle": args.ca_bundle,
        }
        stdin: pulumi.Output[str] = pulumi.Output.secret(request).apply(json.dumps)
        probe = Command(
            name,
            create=f"# Probe {args.url} for up to {args.deadline} s.\n{_PROBE}",
            stdin=stdin,
            environment={"CLAWDET_GUARDS": pulumi.Output.all(*args.guards).apply(lambda guards: "\n".join(guards))},
            add_previous_output_in_env=False,
            logging=Logging.NONE,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.result = probe.stdout
        self.register_outputs({"url": args.url, "result": self.result})
