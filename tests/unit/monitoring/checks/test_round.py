"""A round: who is looked at, whose servers are asked, and what comes of it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

import pytest

from clawdet_infra.inventory.instance import Instance, Server
from clawdet_infra.inventory.observation import Cause, Condition, HostFailure, Observation, ServerStatus
from clawdet_infra.monitoring.checks import CheckCycle, CheckPolicy, Host, probes, run_checks
from clawdet_infra.probe import probe_once
from tests.support.simulated.fleet import Simulated
from tests.unit.monitoring.checks.samples import container, host

QUICK = CheckPolicy(request_timeout_seconds=1.5, confirm_delay_seconds=0.1, jitter_seconds=0.1, host_timeout_seconds=1)
STOPPED = host(container("gateway", "exited", None), container("proxy"))


class Servers:
    """Servers and a provider that say what they are told to, and note who was asked."""

    def __init__(self, look: Host | Exception = STOPPED, status: ServerStatus | Exception | None = "running") -> None:
        self.looks: list[tuple[str, list[str]]] = []
        self.statuses: list[str] = []
        self.asked = 0
        self._look = look
        self._status = status
        self.delay = 0.0

    async def host_look(self, server: Server, instances: Sequence[Instance]) -> Mapping[str, Host]:
        self.looks.append((server.name, [one.id for one in instances]))
        await asyncio.sleep(self.delay)
        if isinstance(self._look, Exception):
            raise self._look
        return {one.id: self._look for one in instances}

    async def server_status(self, servers: Sequence[Server]) -> Mapping[str, ServerStatus | None]:
        self.asked += 1
        self.statuses += [one.name for one in servers]
        if isinstance(self._status, Exception):
            raise self._status
        return {one.name: self._status for one in servers}


def of(fleet: Simulated, *modes: str) -> list[Instance]:
    return [one for one in fleet.instances if fleet.modes[one.id] in modes]


def by_mode(fleet: Simulated, done: CheckCycle) -> dict[str, Observation]:
    return {fleet.modes[one.instance]: one for one in done.observations}


async def look_at_all(*who: Any, **how: Any) -> list[Observation]:
    done = await run_checks(*who, **how)
    return done.observations


async def test_what_is_well_is_neither_asked_about_nor_diagnosed(fleet: Simulated) -> None:
    servers = Servers()
    done = await run_checks(
        of(fleet, "healthy"), fleet.clouds, QUICK, host_look=servers.host_look, server_status=servers.server_status
    )
    assert [one.condition for one in done.observations] == [Condition.HEALTHY] * 3
    assert {one.diagnosis for one in done.observations} == {None}
    assert all(one.certificate_days == pytest.approx(60, abs=0.1) for one in done.observations)
    assert (servers.looks, servers.statuses, done.unseen) == ([], [], [])


async def test_servers_of_what_is_down_are_asked_and_the_provider_about_those_that_take_no_connections(
    fleet: Simulated,
) -> None:
    servers = Servers()
    chosen = of(fleet, "healthy", "late", "dead", "refused", "unnamed")
    policy = replace(QUICK, request_timeout_seconds=5)
    done = await run_checks(
        chosen, fleet.clouds, policy, host_look=servers.host_look, server_status=servers.server_status
    )
    seen = by_mode(fleet, done)
    down = {one.id for one in of(fleet, "dead", "refused", "unnamed")}
    assert {name for name, _ in servers.looks} == down
    assert set(servers.statuses) == {one.id for one in of(fleet, "refused", "unnamed")}
    assert servers.asked == 1, "the provider is asked once for all of them"
    assert seen["late"].condition is Condition.SLOW
    assert seen["late"].diagnosis is None
    assert seen["late"].latency_seconds > 3
    assert seen["dead"].diagnosis is not None
    assert "gateway's container does not run (exited)" in seen["dead"].diagnosis.sentence
    assert seen["dead"].host == STOPPED
    assert seen["dead"].last_answer is not None
    assert "HTTP 502" in seen["dead"].last_answer


async def test_a_server_is_asked_once_about_all_who_share_it(fleet: Simulated) -> None:
    shared = Server(name="shared-1", stack="simulated", ipv4=IPv4Address("10.0.0.1"), host_key="")
    servers = Servers()
    # Their addresses differ from the server's, so all of them are down, at DNS.
    tenants = [replace(one, server=shared) for one in of(fleet, "healthy")]
    done = await run_checks(
        tenants, fleet.clouds, QUICK, host_look=servers.host_look, server_status=servers.server_status
    )
    assert servers.looks == [("shared-1", [one.id for one in tenants])]
    assert servers.statuses == ["shared-1"]
    assert {one.stage for one in done.observations} == {"dns"}


async def test_all_servers_are_asked_where_that_is_wanted(fleet: Simulated) -> None:
    servers = Servers(host())
    observations = await look_at_all(of(fleet, "healthy"), fleet.clouds, QUICK, host_look=servers.host_look, ask="all")
    assert [one.host for one in observations] == [host()] * 3
    assert {one.diagnosis for one in observations} == {None}


@pytest.mark.parametrize("status", [RuntimeError("canary"), "unknown"], ids=["an error", "no answer"])
async def test_a_server_and_a_provider_that_cannot_be_asked_leave_what_was_seen_from_outside(
    fleet: Simulated, status: ServerStatus | Exception
) -> None:
    servers = Servers(RuntimeError("canary"), status)
    done = await run_checks(
        of(fleet, "refused"), fleet.clouds, QUICK, host_look=servers.host_look, server_status=servers.server_status
    )
    (one,) = done.observations
    assert one.diagnosis is not None
    assert one.diagnosis.cause is Cause.PROXY_STOPPED
    assert isinstance(one.host, HostFailure)
    assert "RuntimeError" in one.host.what
    assert "canary" not in repr(one)


async def test_one_hostile_answer_blinds_nobody_else(fleet: Simulated) -> None:
    done = await run_checks(of(fleet, "nested", "healthy", "dead", "channel"), fleet.clouds, QUICK)
    seen = by_mode(fleet, done)
    assert not done.unseen
    assert (seen["nested"].condition, seen["nested"].stage) == (Condition.DOWN, "healthz")
    assert (seen["healthy"].condition, seen["dead"].stage) == (Condition.HEALTHY, "healthz")
    assert (seen["channel"].condition, seen["channel"].not_ready) == (Condition.HEALTHY, ("telegram",))


async def test_an_error_in_one_look_or_one_diagnosis_is_that_instances_alone(
    fleet: Simulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = of(fleet, "healthy", "dead")
    ill = of(fleet, "dead")[0].id

    async def look(target: Any, *rest: Any, **more: Any) -> Any:
        if target.customer == ill:
            raise RecursionError("canary")
        return await probe_once(target, *rest, **more)

    monkeypatch.setattr(probes, "probe_once", look)
    done = await run_checks(chosen, fleet.clouds, QUICK)
    assert Counter(one.condition for one in done.observations) == {Condition.HEALTHY: 3, Condition.DOWN: 1}
    odd = replace(host(), disk_used_share="full")  # type: ignore[arg-type]
    monkeypatch.undo()
    done = await run_checks(chosen, fleet.clouds, QUICK, host_look=Servers(odd).host_look)
    assert Counter(one.condition for one in done.observations) == {Condition.HEALTHY: 3, Condition.DOWN: 1}
    assert [one.diagnosis.cause for one in done.observations if one.diagnosis] == [Cause.UNKNOWN]
    assert "canary" not in repr(done)


async def test_a_server_that_is_gone_is_told_so(fleet: Simulated) -> None:
    servers = Servers(HostFailure("no connection"), None)
    done = await run_checks(
        of(fleet, "refused"), fleet.clouds, QUICK, host_look=servers.host_look, server_status=servers.server_status
    )
    assert [one.diagnosis.cause for one in done.observations if one.diagnosis] == [Cause.SERVER_GONE]


async def test_a_server_that_hangs_is_given_up_in_time(fleet: Simulated) -> None:
    servers = Servers()
    servers.delay = 30
    begun = time.monotonic()
    done = await run_checks(of(fleet, "dead"), fleet.clouds, QUICK, host_look=servers.host_look)
    assert time.monotonic() - begun < 10
    (one,) = done.observations
    assert one.host == HostFailure(f"{one.server} did not answer over SSH within 1 s")
    assert one.diagnosis is not None
    assert one.diagnosis.cause is Cause.GATEWAY_STOPPED


async def test_what_was_not_looked_at_in_time_is_not_called_down(fleet: Simulated) -> None:
    patient = replace(
        QUICK, request_timeout_seconds=30, probe_timeout_seconds=30, cycle_timeout_seconds=2, confirm=False
    )
    begun = time.monotonic()
    done = await run_checks(of(fleet, "healthy", "hanging", "silent"), fleet.clouds, patient)
    assert time.monotonic() - begun < 4
    assert [one.condition for one in done.observations] == [Condition.HEALTHY] * 3
    assert done.unseen == sorted(one.id for one in of(fleet, "hanging", "silent"))


async def test_a_server_that_had_no_time_to_answer_is_told_so(fleet: Simulated) -> None:
    servers = Servers()
    servers.delay = 30
    hurried = replace(QUICK, host_timeout_seconds=30, cycle_timeout_seconds=4)
    done = await run_checks(of(fleet, "dead"), fleet.clouds, hurried, host_look=servers.host_look)
    (one,) = done.observations
    assert isinstance(one.host, HostFailure)
    assert "the round ended before" in one.host.what


async def test_a_look_that_takes_too_long_in_all_has_failed(fleet: Simulated) -> None:
    policy = replace(QUICK, request_timeout_seconds=5, probe_timeout_seconds=2.1, confirm=False)
    (one,) = (await run_checks(of(fleet, "late"), fleet.clouds, policy)).observations
    assert (one.condition, one.stage) == (Condition.DOWN, "auth")
    assert one.diagnosis is not None
    assert one.diagnosis.cause is Cause.GATEWAY_HANGS


async def test_nobody_looks_at_nobody(fleet: Simulated) -> None:
    assert (await run_checks([], fleet.clouds, QUICK)).observations == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("latency_threshold_seconds", 0),
        ("cycle_timeout_seconds", -1),
        ("concurrency", 0),
        ("jitter_seconds", -0.1),
        ("request_timeout_seconds", 61),
        ("max_in_flight", 1),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field):
        CheckPolicy(**{field: value})  # type: ignore[arg-type]


async def test_an_instance_that_answers_from_a_full_disk_is_down(fleet: Simulated) -> None:
    full = host(container("gateway"), container("proxy"), disk_used_share=0.99)
    [first, *_] = of(fleet, "healthy")
    seen = await look_at_all([first], fleet.clouds, QUICK, host_look=Servers(full).host_look, ask="all")
    [one] = seen
    assert one.condition is Condition.DOWN
    assert one.diagnosis is not None
    assert one.diagnosis.cause is Cause.DISK_FULL
    assert one.stage is None, "the probe itself found nothing"


async def test_servers_of_those_named_are_asked_although_they_answer(fleet: Simulated) -> None:
    servers = Servers()
    first, *others = of(fleet, "healthy")
    await look_at_all([first, *others], fleet.clouds, QUICK, host_look=servers.host_look, also=[first.id, "gone"])
    assert servers.looks == [(first.server.name, [first.id])]
