"""What an operator is told of an instance that is down."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawdet_infra.inventory.observation import Cause, ContainerLook, HostFailure, HostLook, ServerStatus
from clawdet_infra.monitoring.checks import diagnose
from clawdet_infra.probe import Failure, ProbeResult, Sign, Stage
from tests.unit.monitoring.checks.samples import container, failed, host

NO_SSH = HostFailure("no connection to 10.0.0.1 port 22 within 10 s")
WELL = host()
STOPPED = container("gateway", "exited", None, memory_mib=None)
PROXY = container("proxy")

# What was seen from outside, what the server said, what the provider said; the cause, whether it is all of the server,
# and words that the sentence has to have.
Case = tuple[ProbeResult, HostLook | HostFailure | None, ServerStatus | None, Cause, bool, str]
CASES: dict[str, Case] = {
    "the server is gone": (failed("tcp", "timeout"), NO_SSH, None, Cause.SERVER_GONE, True, "no such server"),
    "the server is gone and its name too": (failed("dns", "no-name"), None, None, Cause.SERVER_GONE, True, "no such"),
    "the server is off": (failed("tcp", "timeout"), NO_SSH, "off", Cause.SERVER_OFF, True, "switched off"),
    "the server boots": (failed("tcp", "refused"), NO_SSH, "starting", Cause.SERVER_BUSY, True, "but starting"),
    "the server is moved": (failed("tcp", "timeout"), None, "migrating", Cause.SERVER_BUSY, True, "but migrating"),
    "SSH is surer than the provider": (failed("healthz", "timeout"), WELL, "off", Cause.GATEWAY_HANGS, False, "runs"),
    "deployed": (
        failed("healthz", status=502),
        host(STOPPED, PROXY, deploying=True, disk_used_share=1.0),
        "unknown",
        Cause.DEPLOYING,
        False,
        "A deployment of it is under way",
    ),
    "on hold": (
        failed("healthz", status=502),
        host(STOPPED, PROXY, held=True),
        "unknown",
        Cause.GATEWAY_STOPPED,
        False,
        "It is on hold",
    ),
    "no name": (failed("dns", "no-name"), WELL, "running", Cause.DNS, False, "DNS is wrong"),
    "another address": (failed("dns", "wrong-address"), None, "unknown", Cause.DNS, False, "something"),
    "no name server": (failed("dns", "timeout"), None, "running", Cause.DNS, False, "could not be looked up"),
    "DNS, whatever the disk": (failed("dns", "no-name"), host(disk_used_share=1.0), "running", Cause.DNS, False, ""),
    "expired": (failed("tls", "expired"), WELL, "unknown", Cause.CERTIFICATE, False, "has expired"),
    "for another name": (failed("tls", "wrong-name"), None, "unknown", Cause.CERTIFICATE, False, "another name"),
    "of nobody": (failed("tls", "untrusted"), None, "unknown", Cause.CERTIFICATE, False, "trusted"),
    "none": (failed("tls", "no-certificate"), None, "unknown", Cause.CERTIFICATE, False, "no certificate"),
    "TLS is odd": (failed("tls", "handshake"), WELL, "unknown", Cause.CERTIFICATE, False, "TLS cannot"),
    "no password is asked": (failed("auth", "open", 200), WELL, "unknown", Cause.PASSWORD, False, "open to everybody"),
    "the password is not taken": (failed("auth", "denied", 401), WELL, "unknown", Cause.PASSWORD, False, "password"),
    "any token is taken": (failed("api", "open", 200), WELL, "unknown", Cause.TOKEN, False, "any token"),
    "the token is not taken": (failed("api", "denied", 401), WELL, "unknown", Cause.TOKEN, False, "token"),
    "disk": (failed("readyz", status=503), host(disk_used_share=0.98), "unknown", Cause.DISK_FULL, True, "98%"),
    "disk, and so the gateway is dead": (
        failed("healthz", status=502),
        host(STOPPED, PROXY, disk_used_share=1.0),
        "unknown",
        Cause.DISK_FULL,
        True,
        "100% of 40000 MiB",
    ),
    "inodes": (failed("healthz", "timeout"), host(inodes_used_share=0.99), "running", Cause.DISK_FULL, True, "inodes"),
    "disk, as the gateway says": (
        failed("readyz", status=503, last_answer="HTTP 503 ENOSPC: no space left on device, write"),
        None,
        "unknown",
        Cause.DISK_FULL,
        True,
        "cannot write",
    ),
    "nearly full is not full": (
        failed("readyz", status=503),
        host(disk_used_share=0.97, inodes_used_share=0.97),
        "unknown",
        Cause.GATEWAY_NOT_READY,
        False,
        "not ready",
    ),
    "no memory": (
        failed("healthz", "timeout"),
        host(memory_available_mib=40),
        "running",
        Cause.OUT_OF_MEMORY,
        True,
        "40 of 4000 MiB",
    ),
    "no memory for the gateway": (
        failed("healthz", status=502),
        host(container("gateway", memory_mib=1020), PROXY),
        "unknown",
        Cause.OUT_OF_MEMORY,
        False,
        "all the memory",
    ),
    "the proxy is stopped": (
        failed("tcp", "refused"),
        host(container("gateway"), container("proxy", "exited", None)),
        "running",
        Cause.PROXY_STOPPED,
        True,
        "(exited)",
    ),
    "the proxy of all is stopped": (failed("tcp", "refused"), WELL, "running", Cause.PROXY_STOPPED, True, "SSH works"),
    "the proxy of all is stopped, as its server says": (
        failed("tcp", "refused"),
        host(container("gateway"), PROXY, container("edge", "exited", None)),
        "running",
        Cause.PROXY_STOPPED,
        True,
        "its proxy (exited) does not run",
    ),
    "the proxy of all ended a moment ago": (
        failed("tls", "lost"),
        host(container("gateway"), PROXY, container("edge", "restarting", None, restarts=3)),
        "running",
        Cause.PROXY_STOPPED,
        True,
        "(restarting, after 3 restarts)",
    ),
    "nothing listens, as far as is known": (
        failed("tcp", "refused"),
        None,
        "unknown",
        Cause.PROXY_STOPPED,
        True,
        "Nothing listens",
    ),
    "one customer's proxy is stopped behind that of all": (
        failed("healthz", status=502),
        host(container("gateway"), container("proxy", "exited", None)),
        "unknown",
        Cause.PROXY_STOPPED,
        False,
        "proxy's container does not run (exited)",
    ),
    "the gateway is stopped": (
        failed("healthz", status=502),
        host(STOPPED, PROXY),
        "unknown",
        Cause.GATEWAY_STOPPED,
        False,
        "gateway's container does not run (exited)",
    ),
    "the gateway is not there": (
        failed("healthz", status=502),
        host(PROXY),
        "unknown",
        Cause.GATEWAY_STOPPED,
        False,
        "there is none",
    ),
    "the gateway ends again and again": (
        failed("healthz", status=502),
        host(container("gateway", "restarting", None, restarts=7), PROXY),
        "unknown",
        Cause.GATEWAY_STOPPED,
        False,
        "restarting, after 7 restarts",
    ),
    "both are stopped": (
        failed("healthz", status=502),
        host(STOPPED, container("proxy", "dead", None)),
        "unknown",
        Cause.GATEWAY_STOPPED,
        False,
        "Neither",
    ),
    "a dead gateway, from outside": (
        failed("healthz", status=502),
        None,
        "unknown",
        Cause.GATEWAY_STOPPED,
        False,
        "HTTP 502 in its place",
    ),
    "the gateway died between two questions": (
        failed("auth", status=502),
        None,
        "unknown",
        Cause.GATEWAY_STOPPED,
        False,
        "HTTP 502",
    ),
    "frozen": (
        failed("healthz", "timeout"),
        host(container("gateway", health="unhealthy"), PROXY),
        "unknown",
        Cause.GATEWAY_HANGS,
        False,
        "running, unhealthy",
    ),
    "frozen, from outside": (failed("healthz", "timeout"), None, "unknown", Cause.GATEWAY_HANGS, False, "no answer"),
    "frozen, as the proxy says": (failed("healthz", status=504), WELL, "unknown", Cause.GATEWAY_HANGS, False, ""),
    "paused": (
        failed("healthz", "timeout"),
        host(container("gateway", "paused"), PROXY),
        "unknown",
        Cause.GATEWAY_HANGS,
        False,
        "is paused",
    ),
    "it starts": (
        failed("healthz", status=502),
        host(container("gateway", health="starting", restarts=1), PROXY),
        "unknown",
        Cause.GATEWAY_NOT_READY,
        False,
        "running, starting, after 1 restart",
    ),
    "starts": (failed("startupz", "starting", 503), WELL, "unknown", Cause.GATEWAY_STARTING, False, "starts or ends"),
    "does not start": (failed("startupz", status=503), WELL, "unknown", Cause.GATEWAY_NOT_READY, False, "not ready"),
    "not ready": (failed("readyz", status=503), WELL, "unknown", Cause.GATEWAY_NOT_READY, False, "not ready"),
    "not ready, from outside": (failed("readyz", status=503), None, "unknown", Cause.GATEWAY_NOT_READY, False, "lives"),
    "the proxy breaks off": (failed("healthz", "lost"), None, "unknown", Cause.PROXY_STOPPED, False, "broke"),
    "the proxy is silent": (failed("tls", "timeout"), None, "unknown", Cause.PROXY_STOPPED, True, "says nothing"),
    "the proxy is not behind the port": (failed("tls", "lost"), WELL, "unknown", Cause.PROXY_STOPPED, True, "breaks"),
    "the network": (failed("tcp", "timeout"), NO_SSH, "running", Cause.NETWORK, True, "port 22 within 10 s."),
    "the network, by a route": (failed("tcp", "unreachable"), NO_SSH, "running", Cause.NETWORK, True, "server runs"),
    "the network, as far as is known": (failed("tcp", "timeout"), None, "unknown", Cause.NETWORK, True, "not reach"),
    "a firewall": (failed("tcp", "timeout"), WELL, "running", Cause.NETWORK, True, "firewalls"),
    "another page": (failed("auth", "answer", 200), WELL, "unknown", Cause.UNKNOWN, False, "look well"),
    "something else, from outside": (failed("healthz", "answer", 404), None, "unknown", Cause.UNKNOWN, False, "wrong"),
    "something else, and no SSH": (failed("api", "answer", 500), NO_SSH, "unknown", Cause.UNKNOWN, False, "port 22"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_was_seen_has_a_name_and_a_sentence(case: Case) -> None:
    verdict, said, server, cause, whole, words = case
    diagnosis = diagnose(verdict, said, server)
    assert (diagnosis.cause, diagnosis.whole_server) == (cause, whole), diagnosis.sentence
    assert words in diagnosis.sentence


def test_every_cause_has_a_case() -> None:
    assert {case[3] for case in CASES.values()} == set(Cause) - {Cause.CHANNEL}


def test_a_look_that_did_not_fail_has_no_cause() -> None:
    assert diagnose(ProbeResult("ada", None, {})).cause is Cause.UNKNOWN


def test_a_server_that_could_not_be_asked_is_told_beside_what_is_known() -> None:
    sentence = diagnose(failed("healthz", status=502), HostFailure("the host key is another one.")).sentence
    assert sentence.endswith(" The server could not be asked: the host key is another one.")


def literals(kind: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(get_args(kind))


numbers = st.floats(allow_nan=True, allow_infinity=True)
failures = st.builds(
    Failure,
    stage=literals(Stage),
    what=st.text(),
    last_answer=st.text(),
    sign=literals(Sign),
    status=st.none() | st.integers(100, 599),
)
containers = st.builds(
    ContainerLook,
    service=st.sampled_from(["gateway", "proxy", "edge"]) | st.text(),
    state=st.sampled_from(["created", "running", "paused", "restarting", "removing", "exited", "dead"]) | st.text(),
    health=st.none() | st.sampled_from(["starting", "healthy", "unhealthy"]) | st.text(),
    restarts=st.integers(),
    memory_mib=st.none() | numbers,
    memory_limit_mib=st.none() | numbers,
)
looks = st.builds(
    HostLook,
    containers=st.lists(containers).map(tuple),
    memory_total_mib=numbers,
    memory_available_mib=numbers,
    disk_total_mib=numbers,
    disk_used_share=numbers,
    inodes_used_share=numbers,
    load=numbers,
    uptime_seconds=numbers,
)
hosts = st.none() | st.builds(HostFailure, st.text()) | looks
servers = st.none() | literals(ServerStatus)


@given(failures, hosts, servers)
def test_whatever_was_seen_it_is_named_in_a_sentence(
    failure: Failure, said: HostLook | HostFailure | None, server: ServerStatus | None
) -> None:
    diagnosis = diagnose(ProbeResult("ada", failure, {}), said, server)
    assert diagnosis.cause in Cause
    assert diagnosis.sentence.strip()
    assert diagnosis.sentence[0].isupper()


@given(failures, hosts, servers)
def test_what_only_one_customer_can_have_is_never_all_of_a_server(
    failure: Failure, said: HostLook | HostFailure | None, server: ServerStatus | None
) -> None:
    diagnosis = diagnose(ProbeResult("ada", failure, {}), said, server)
    always = {Cause.SERVER_GONE, Cause.SERVER_BUSY, Cause.SERVER_OFF, Cause.NETWORK, Cause.DISK_FULL}
    sometimes = {Cause.PROXY_STOPPED, Cause.OUT_OF_MEMORY}
    assert diagnosis.whole_server or diagnosis.cause not in always
    assert not diagnosis.whole_server or diagnosis.cause in always | sometimes


@given(failures, looks, servers)
def test_a_server_that_answered_is_neither_off_nor_gone(
    failure: Failure, said: HostLook, server: ServerStatus | None
) -> None:
    assert diagnose(ProbeResult("ada", failure, {}), said, server).cause not in (Cause.SERVER_OFF, Cause.SERVER_GONE)
