"""A trial on a server that is there: the deployment program over SSH, without a cloud and without an engine."""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path

from clawdet_infra import render
from clawdet_infra.agent import names
from clawdet_infra.agent.package import bring_command, build
from clawdet_infra.config import Fleet, PlanName
from clawdet_infra.config.secrets import TOKEN_BYTES, derived_password
from clawdet_infra.config.servers import EDGE_PROJECT, SERVER_ROOT
from clawdet_infra.engine.stages import Passed, Stages
from clawdet_infra.layout import CustomerLayout, Layout, plan_layout
from clawdet_infra.probe import Target, probe_until_healthy
from clawdet_infra.redaction import Redactor
from clawdet_infra.test_deploy.customer import trial_fleet
from clawdet_infra.test_deploy.failures import Interrupted, TrialError, deaf_to_signals, stopped_by_signals
from clawdet_infra.test_deploy.names import resolver_of
from clawdet_infra.test_deploy.records import Record
from clawdet_infra.test_deploy.result import Outcome, write_access
from clawdet_infra.test_deploy.ssh import Ssh

REMOVAL_FILE = "removal.json"
"""The payloads by which a trial is removed, in order; they hold no secret."""

_LOOK_SECONDS = 60
_DEPLOY_SECONDS = 1800
_REMOVE_SECONDS = 300
_HEALTHY_SECONDS = 120

# What would be disturbed by a trial, or would disturb it, one word a line.
_LOOK = f"""
[ -e {SERVER_ROOT}/{EDGE_PROJECT} ] && echo edge
[ -n "$(ss -Hltn '( sport = :80 or sport = :443 )')" ] && echo ports
command -v python3 >/dev/null || echo python
command -v docker >/dev/null || echo docker
true
"""
_IN_THE_WAY = {
    "edge": "it is a host that customers share; name a server without customers",
    "ports": "something listens on its port 80 or 443 already; name a server without customers",
    "python": "it has no python3; it needs Python 3.11 or later",
    "docker": "it has no Docker; it needs Docker with Compose 2",
}
# Ends what a deployment that was cut off still does: whoever holds its lock, with all that it has started.
_END = """
for fd in $(find /proc/[0-9]*/fd -lname '/srv/clawdet/.locks/{project}.lock' 2>/dev/null); do
    pid=${{fd#/proc/}}; pid=${{pid%%/*}}
    kill -9 -- "-$(ps -o pgid= -p "$pid" | tr -d ' ')" 2>/dev/null
done
true
"""
_CA = "docker exec {container} cat /data/caddy/pki/authorities/local/root.crt"


@dataclass(frozen=True)
class _Plan:
    """What is deployed, and by what it is removed."""

    customer: CustomerLayout
    deployments: tuple[tuple[str, str], ...] = field(repr=False)
    removals: tuple[str, ...]
    ends_tls: str
    token: str = field(repr=False)

    @property
    def password(self) -> str:
        """The customer's password for basic auth."""
        return derived_password(self.token)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no message may show."""
        return (self.token, self.password, self.customer.customer.anthropic_api_key.get_secret_value())


@deaf_to_signals()
def run(
    record: Record, settings: Fleet, plan: PlanName, ssh: Ssh, *, keep: bool, tell: Callable[[Passed], None]
) -> Outcome:
    """Deploy a customer of a plan onto a server, probe it by its address, and remove it unless it shall be kept."""
    fleet = trial_fleet(settings, plan, record.name, own_domain=True)
    planned = _plan(plan_layout(fleet, label=record.name))
    stages = Stages(tell)
    failure = interrupted = remains = ""
    probe = {}
    begun = False
    try:
        with stopped_by_signals():
            address = _address(ssh.address)
            _look(ssh)
            stages.passes("SSH", str(address))
            (record.folder / REMOVAL_FILE).write_text(json.dumps(planned.removals), encoding="utf-8")
            begun = True
            _bring_agent(ssh)
            for command, payload in planned.deployments:
                ssh.run(command, payload, seconds=_DEPLOY_SECONDS, secrets=planned.secrets)
            stages.passes("deployment")
            authority = _authority(record.folder, ssh, planned)
            probe = _probe(planned, address, authority)
            stages.passes("healthy")
            if keep:
                write_access(record, planned.customer.url, planned.customer.user, planned.token, planned.password)
    except Interrupted as signal:
        interrupted, failure = str(signal), f"it was interrupted by {signal}"
    except TrialError as error:
        failure = str(error)
    except Exception as error:  # Whatever it was, nothing may be left of the trial.
        failure = Redactor(planned.secrets).line(f"it broke: {type(error).__name__}: {error}")
    if not record.kept:
        try:
            if begun:
                remove(record, ssh)
                stages.passes("removed")
            record.forget()
        except TrialError as error:
            remains = f"{record.name} could not be removed from {ssh.address}: {error}"
    return Outcome(
        name=record.name,
        plan=plan,
        url=planned.customer.url,
        address=ssh.address,
        stages=stages.passed,
        healthy=bool(probe),
        removed=not record.kept and not remains,
        failure=failure,
        remains=remains,
        interrupted=interrupted,
        probe=probe,
    )


def remove(record: Record, ssh: Ssh) -> list[str]:
    """Remove a trial from a server; returns what that was, in words.  Raises TrialError where that fails."""
    try:
        payloads = json.loads((record.folder / REMOVAL_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:  # It was ended before anything was done on the server.
        return []
    if payloads:
        _bring_agent(ssh)
    for payload in payloads:
        ssh.run(_END.format(project=json.loads(payload)["project"]), seconds=_LOOK_SECONDS)
        ssh.run(render.remove_command(_agent()), payload, seconds=_REMOVE_SECONDS)
    return [f"{json.loads(payload)['project']} on {ssh.address}" for payload in payloads]


def _agent() -> str:
    """Return where the agent is on a server during a trial."""
    return names.agent(build().digest)


def _bring_agent(ssh: Ssh) -> None:
    ssh.run(bring_command(_agent()), build().base64, seconds=_LOOK_SECONDS)


def _plan(layout: Layout) -> _Plan:
    customer, fleet = layout.customers[0], layout.fleet
    token = secrets.token_hex(TOKEN_BYTES)
    bundle = render.bundle(
        customer,
        images=customer.images,
        acme_email=fleet.acme_email,
        offline=bool(fleet.cloud.image_prefix),
        own_ca=True,
    )
    environment = render.environment(customer.customer, gateway_token=token, auth_password=derived_password(token))
    deployments = [
        (
            render.deploy_command(render.summary(customer, bundle), _agent()),
            render.payload(customer, bundle, environment),
        )
    ]
    removals = [render.payload(customer, bundle, "")]
    for host in layout.shared_hosts:
        edge = render.host_bundle(host, proxy=host.images.proxy, acme_email=fleet.acme_email, own_ca=True)
        payload = render.host_payload(host, edge)
        deployments.insert(0, (render.deploy_command(render.host_summary(host, edge), _agent()), payload))
        removals.append(payload)
    ends_tls = f"{EDGE_PROJECT}-edge-1" if layout.shared_hosts else f"{customer.slug}-proxy-1"
    return _Plan(customer, tuple(deployments), tuple(removals), ends_tls, token)


def _address(host: str) -> IPv4Address:
    try:
        # Deployments serve over IPv4 alone.
        found = socket.getaddrinfo(host, 443, family=socket.AF_INET, type=socket.SOCK_STREAM)
    except OSError:
        raise TrialError(f"{host} is neither an IPv4 address nor a name that the DNS has one for") from None
    return IPv4Address(found[0][4][0])


def _look(ssh: Ssh) -> None:
    """Make sure that the server can take a trial, and that nobody is disturbed by it."""
    for word in ssh.run(_LOOK, seconds=_LOOK_SECONDS).split():
        if word in _IN_THE_WAY:
            raise TrialError(f"{ssh.address} cannot take a trial: {_IN_THE_WAY[word]}")


def _authority(folder: Path, ssh: Ssh, planned: _Plan) -> Path:
    """Fetch the certificate of the authority that the proxy has made for itself."""
    file = folder / "authority.pem"
    file.write_text(ssh.run(_CA.format(container=planned.ends_tls), seconds=_LOOK_SECONDS), encoding="ascii")
    return file


def _probe(planned: _Plan, address: IPv4Address, authority: Path) -> dict[str, object]:
    customer = planned.customer
    with resolver_of(customer.fqdn, address) as resolver:
        target = Target.model_validate(
            {
                "customer": customer.id,
                "url": customer.url,
                "user": customer.user,
                "password": planned.password,
                "gateway_token": planned.token,
                "ipv4": address,
                "resolver": resolver,
                "ca_bundle": str(authority),
                "deadline_seconds": _HEALTHY_SECONDS,
            }
        )
        verdict = asyncio.run(probe_until_healthy(target)).verdict
    if verdict.failure is not None:
        raise TrialError(f"customer {customer.id}: {verdict.failure}")
    return verdict.facts()
