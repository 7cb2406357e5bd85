"""Why is an instance down?  A table of what was seen and what it means; the first line that fits is the answer.

What is surer stands above what is less sure: the provider's word about a server that nobody reaches, then faults that
name themselves (DNS, a certificate, a credential), then what the server says of itself, then what can be told from
outside alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from clawdet_infra.inventory.observation import Cause, Diagnosis, HostFailure, HostLook, ServerStatus
from clawdet_infra.monitoring.checks.evidence import EDGE, GATEWAY, PROXY, Evidence, full_disk
from clawdet_infra.probe import ProbeResult


@dataclass(frozen=True)
class _Line:
    """What has to have been seen, what it is called, and how it is said; `whole` where all of the server has it."""

    cause: Cause
    fits: Callable[[Evidence], bool]
    sentence: Callable[[Evidence], str]
    whole: bool = False


def diagnose(
    verdict: ProbeResult, host: HostLook | HostFailure | None = None, server: ServerStatus | None = "unknown"
) -> Diagnosis:
    """Say why a look failed, in a word and in a sentence.

    `host` is None where the server was not asked, `server` is "unknown" where the provider was not, and None where it
    has no such server.  Never raises: what nothing else explains is `Cause.UNKNOWN`, with what was seen.
    """
    if verdict.failure is None:
        return Diagnosis(Cause.UNKNOWN, "Nothing is wrong: every stage of the probe passed.")
    seen = Evidence(verdict.failure, host, server)
    line = next(one for one in _TABLE if one.fits(seen))
    more = f" The server could not be asked: {seen.unasked.rstrip('.')}." if seen.unasked else ""
    if seen.look is not None and seen.look.held:
        more += " It is on hold: an operator put a file `hold` into its folder on the server."
    return Diagnosis(line.cause, line.sentence(seen) + more, line.whole)


def hidden_trouble(host: HostLook | HostFailure | None) -> Diagnosis | None:
    """Say what keeps an instance from its work although it answers, or None.

    On a full disk a gateway still answers, and keeps nothing of what its customer tells it.
    """
    full = full_disk(host) if isinstance(host, HostLook) else ""
    if not full:
        return None
    return Diagnosis(Cause.DISK_FULL, f"{full}; the gateway answers, but can keep nothing.", whole_server=True)


def _said(seen: Evidence) -> str:
    """What the probe saw, as the end of a sentence."""
    answer = seen.failure.last_answer
    return f"{seen.failure.what}{f'; the last answer was: {answer}' if answer else ''}"


def _though_it_runs(seen: Evidence) -> str:
    return f", though its container runs ({seen.state_of(GATEWAY)})" if seen.look else ""


def _nobody_listens(seen: Evidence) -> str:
    ssh = ", though SSH works" if seen.look else ""
    proxy = f" ({seen.state_of(seen.door)})" if seen.stopped(seen.door) else ""
    return f"Nothing listens on the server's HTTPS port{ssh}: its proxy{proxy} does not run."


def _memory(seen: Evidence) -> str:
    left = f": {seen.look.memory_available_mib:.0f} of {seen.look.memory_total_mib:.0f} MiB" if seen.look else ""
    return f"The server has next to no memory left{left}."


def _server(*states: ServerStatus | None) -> Callable[[Evidence], bool]:
    # A server that answered over SSH runs, whatever the provider said a moment before.
    return lambda seen: seen.look is None and seen.server in states


def _at(*stages: str, sign: tuple[str, ...] = ()) -> Callable[[Evidence], bool]:
    return lambda seen: seen.failure.stage in stages and (not sign or seen.failure.sign in sign)


_TABLE: tuple[_Line, ...] = (
    # What the provider says of a server that was not reached.
    _Line(Cause.SERVER_GONE, _server(None), lambda seen: "The provider has no such server any more.", whole=True),
    _Line(
        Cause.SERVER_OFF, _server("off"), lambda seen: "The provider says that the server is switched off.", whole=True
    ),
    _Line(
        Cause.SERVER_BUSY,
        _server("starting", "stopping", "deleting", "rebuilding", "migrating"),
        lambda seen: f"The provider says that the server is not running but {seen.server}.",
        whole=True,
    ),
    # A gateway that is being exchanged is away for as long as the new one takes to start.
    _Line(
        Cause.DEPLOYING,
        lambda seen: seen.look is not None and seen.look.deploying,
        lambda seen: f"A deployment of it is under way on its server, and meanwhile {_said(seen)}.",
    ),
    # Faults that name themselves.
    _Line(
        Cause.DNS,
        _at("dns", sign=("timeout", "unreachable")),
        lambda seen: f"The name could not be looked up: {_said(seen)}.",
    ),
    _Line(Cause.DNS, _at("dns"), lambda seen: f"The DNS is wrong: {_said(seen)}."),
    _Line(
        Cause.CERTIFICATE,
        _at("tls", sign=("expired",)),
        lambda seen: "The certificate has expired, or is not valid yet; the proxy did not renew it.",
    ),
    _Line(
        Cause.CERTIFICATE,
        _at("tls", sign=("wrong-name",)),
        lambda seen: f"The certificate is for another name: {seen.failure.last_answer}.",
    ),
    _Line(
        Cause.CERTIFICATE,
        _at("tls", sign=("untrusted",)),
        lambda seen: f"The certificate is not of an authority that is trusted here: {seen.failure.what}.",
    ),
    _Line(
        Cause.CERTIFICATE,
        _at("tls", sign=("no-certificate",)),
        lambda seen: "The proxy has no certificate for this name yet, or could not get one.",
    ),
    _Line(
        Cause.PASSWORD,
        _at("auth", sign=("open",)),
        lambda seen: "The page is open to everybody: the proxy asks for no password.",
    ),
    _Line(
        Cause.PASSWORD, _at("auth", sign=("denied",)), lambda seen: "The proxy does not take the customer's password."
    ),
    _Line(Cause.TOKEN, _at("api", sign=("open",)), lambda seen: "The gateway takes any token, a wrong one too."),
    _Line(Cause.TOKEN, _at("api", sign=("denied",)), lambda seen: "The gateway does not take the customer's token."),
    # What is used up; it stops everything else, so it comes before what it stopped.
    _Line(Cause.DISK_FULL, lambda seen: bool(seen.disk), lambda seen: f"{seen.disk}.", whole=True),
    _Line(
        Cause.OUT_OF_MEMORY,
        lambda seen: seen.memory_is_scarce,
        _memory,
        whole=True,
    ),
    _Line(
        Cause.OUT_OF_MEMORY,
        lambda seen: seen.gateway_at_its_limit,
        lambda seen: "The gateway uses all the memory that its container may have.",
    ),
    # Nobody at the door: this is all of the server's, whoever else is on it.
    _Line(Cause.PROXY_STOPPED, _at("tcp", sign=("refused",)), _nobody_listens, whole=True),
    _Line(
        Cause.PROXY_STOPPED,
        lambda seen: seen.door == EDGE and seen.stopped(EDGE),
        lambda seen: f"The proxy of all customers of the server does not run ({seen.state_of(EDGE)}).",
        whole=True,
    ),
    # Containers that do not run, as the server says.
    _Line(
        Cause.PROXY_STOPPED,
        lambda seen: seen.stopped(PROXY) and not seen.stopped(GATEWAY),
        lambda seen: f"The proxy's container does not run ({seen.state_of(PROXY)}).",
    ),
    _Line(
        Cause.GATEWAY_STOPPED,
        lambda seen: seen.stopped(GATEWAY) and seen.stopped(PROXY),
        lambda seen: (
            f"Neither the gateway's container ({seen.state_of(GATEWAY)}) nor the proxy's ({seen.state_of(PROXY)}) runs."
        ),
    ),
    _Line(
        Cause.GATEWAY_STOPPED,
        lambda seen: seen.stopped(GATEWAY),
        lambda seen: f"The gateway's container does not run ({seen.state_of(GATEWAY)}).",
    ),
    # The way to the proxy.
    _Line(
        Cause.NETWORK,
        lambda seen: seen.failure.stage == "tcp" and seen.look is not None,
        lambda seen: f"SSH reaches the server, HTTPS does not: {_said(seen)}. Look at its firewalls.",
        whole=True,
    ),
    _Line(
        Cause.NETWORK,
        lambda seen: seen.failure.stage == "tcp" and seen.server == "running",
        lambda seen: f"The provider says that the server runs, but the network does not reach it: {_said(seen)}.",
        whole=True,
    ),
    _Line(Cause.NETWORK, _at("tcp"), lambda seen: f"The network does not reach the server: {_said(seen)}.", whole=True),
    _Line(
        Cause.PROXY_STOPPED,
        _at("tls", sign=("timeout",)),
        lambda seen: "The server takes connections, but its proxy says nothing: it hangs.",
        whole=True,
    ),
    _Line(
        Cause.PROXY_STOPPED,
        _at("tls", sign=("lost",)),
        lambda seen: "The server takes connections, but breaks them off: its proxy does not run.",
        whole=True,
    ),
    _Line(Cause.CERTIFICATE, _at("tls"), lambda seen: f"TLS cannot be begun: {_said(seen)}."),
    # The gateway, behind a proxy that answers.
    _Line(
        Cause.GATEWAY_HANGS,
        lambda seen: seen.in_http and seen.gateway is not None and seen.gateway.state == "paused",
        lambda seen: "The gateway's container is paused.",
    ),
    _Line(
        Cause.GATEWAY_HANGS,
        lambda seen: seen.in_http and (seen.failure.sign == "timeout" or seen.failure.status == 504),
        lambda seen: f"The gateway gives no answer in time{_though_it_runs(seen)}: it is frozen or overloaded.",
    ),
    _Line(
        Cause.GATEWAY_NOT_READY,
        lambda seen: seen.by_the_proxy and seen.look is not None,
        lambda seen: (
            f"The gateway's container runs ({seen.state_of(GATEWAY)}), but takes no connections: the proxy says "
            f"HTTP {seen.failure.status} in its place."
        ),
    ),
    _Line(
        Cause.GATEWAY_STOPPED,
        lambda seen: seen.by_the_proxy,
        lambda seen: f"The gateway is dead: the proxy says HTTP {seen.failure.status} in its place.",
    ),
    _Line(
        Cause.PROXY_STOPPED,
        lambda seen: seen.in_http and seen.failure.sign == "lost",
        lambda seen: f"The proxy broke the connection off instead of answering: {_said(seen)}.",
    ),
    _Line(
        Cause.GATEWAY_STARTING,
        _at("startupz", sign=("starting",)),
        lambda seen: f"The gateway says that it starts or ends just now: {seen.failure.last_answer}.",
    ),
    _Line(
        Cause.GATEWAY_NOT_READY,
        _at("startupz", "readyz"),
        lambda seen: f"The gateway lives, but is not ready: {seen.failure.last_answer}.",
    ),
    # What nothing above explains.
    _Line(
        Cause.UNKNOWN,
        lambda seen: seen.look is not None,
        lambda seen: f"The server and its containers look well, but from outside {_said(seen)}.",
    ),
    _Line(Cause.UNKNOWN, lambda seen: True, lambda seen: f"The cause is not known: {_said(seen)}."),
)
