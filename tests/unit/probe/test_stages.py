from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web

from clawdet_infra.probe import Failure, ProbeResult, Target, probe, probe_once
from tests.unit.probe.world import HOST, KNOWN, PAGE, PASSWORD, TOKEN, Authority, Gateway, Names

Make = Callable[..., Target]
STAGES = ["dns", "tcp", "tls", "healthz", "startupz", "auth", "api", "readyz"]


def failed(verdict: ProbeResult, stage: str) -> Failure:
    assert verdict.failure is not None, "the probe passed"
    assert verdict.failure.stage == stage, f"the wrong stage is named: {verdict.failure}"
    assert not verdict.healthy
    assert list(verdict.seconds) == STAGES[: STAGES.index(stage) + 1], "what comes after was not looked at"
    return verdict.failure


async def test_a_healthy_gateway_passes_every_stage(target: Make, gateway: Gateway) -> None:
    verdict = await probe_once(target())
    assert verdict.healthy, verdict.failure
    assert list(verdict.seconds) == STAGES
    assert verdict.address == "127.0.0.1"
    assert verdict.certificate_days == pytest.approx(20, abs=0.1)
    assert ("POST", "/tools/invoke", f"Bearer {TOKEN}") in gateway.seen


async def test_without_a_token_the_api_is_not_asked(target: Make, gateway: Gateway) -> None:
    verdict = await probe_once(target(gateway_token=None))
    assert list(verdict.seconds) == STAGES[:-2]
    assert "/tools/invoke" not in {path for _, path, _ in gateway.seen}


async def test_the_given_resolver_is_asked_and_its_answer_is_connected_to(target: Make, names: Names) -> None:
    await probe_once(target())
    assert names.asked == [(HOST, "A")]


async def test_a_name_that_does_not_exist(target: Make, names: Names) -> None:
    names.records = {}
    failure = failed(await probe_once(target()), "dns")
    assert failure == Failure("dns", f"{HOST} does not exist", "NXDOMAIN", "no-name")


async def test_a_name_without_an_address(target: Make, names: Names) -> None:
    names.records = {(HOST, "AAAA"): ["::1"]}
    assert "has no A record" in failed(await probe_once(target()), "dns").what


@pytest.mark.parametrize("answer", [["127.0.0.2"], ["127.0.0.1", "127.0.0.2"]], ids=["another", "one more"])
async def test_a_name_with_another_address_than_the_servers(target: Make, names: Names, answer: list[str]) -> None:
    names.records[HOST, "A"] = answer
    failure = failed(await probe_once(target()), "dns")
    assert "should have the A record 127.0.0.1 alone" in failure.what
    assert failure.last_answer == ", ".join(answer)


async def test_a_resolver_that_does_not_answer(target: Make, names: Names) -> None:
    names.silent = True
    assert "no answer about" in failed(await probe_once(target(request_seconds=0.3)), "dns").what


async def test_an_ipv6_record_that_the_fleet_did_not_publish_has_to_serve_the_name(
    target: Make, names: Names, gateway: Gateway
) -> None:
    assert (await probe_once(target(ipv6_records=True))).healthy
    assert (HOST, "AAAA") in names.asked
    # Nothing listens on this port at the loopback address of IPv6; callers with IPv6 would come to nothing.
    names.records[HOST, "AAAA"] = ["::1"]
    failure = failed(await probe_once(target(ipv6_records=True)), "dns")
    assert (failure.sign, "refused" in failure.last_answer) == ("wrong-address", True)
    assert failure.what.startswith(f"{HOST} has the AAAA record ::1, which this fleet does not publish")
    assert (await probe_once(target())).healthy, "a deployment is judged by what it publishes itself"


@pytest.mark.parametrize("address", ["64:ff9b::7f00:1", "::ffff:0:0"], ids=["made of the A record", "no route"])
async def test_an_ipv6_address_that_says_nothing_of_the_record_fails_nothing(
    target: Make, names: Names, address: str
) -> None:
    names.records[HOST, "AAAA"] = [address]
    assert (await probe_once(target(ipv6_records=True))).healthy


async def test_an_ipv6_record_that_serves_the_name_is_taken(
    target: Make, names: Names, authority: Authority, gateway: Gateway
) -> None:
    other = Gateway()
    await other.start(authority.context(), "::1", gateway.port)
    names.records[HOST, "AAAA"] = ["::1"]
    verdict = await probe_once(target(ipv6_records=True))
    await other.stop()
    assert verdict.healthy, verdict.failure


async def test_a_port_that_is_closed(target: Make) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    failure = failed(await probe_once(target(url=f"https://{HOST}:{port}")), "tcp")
    assert failure.what == f"no connection to 127.0.0.1 port {port}"
    assert "refused" in failure.last_answer


async def test_a_certificate_of_an_authority_that_is_not_trusted(target: Make, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other")
    failure = failed(await probe_once(target(ca_bundle=str(other.bundle))), "tls")
    assert "the certificate is not valid: unable to get local issuer certificate" in failure.what


@pytest.mark.parametrize(
    ("host", "days", "reason"),
    [(HOST, -1, "certificate has expired"), ("other.clawdet.test", 20, "Hostname mismatch")],
    ids=["expired", "another name"],
)
async def test_a_certificate_that_is_not_valid(
    target: Make, authority: Authority, host: str, days: float, reason: str
) -> None:
    gateway = Gateway()
    await gateway.start(authority.context(host, days))
    verdict = await probe_once(target(url=f"https://{HOST}:{gateway.port}"))
    await gateway.stop()
    assert reason in failed(verdict, "tls").what


async def test_something_that_speaks_no_tls(target: Make) -> None:
    gateway = Gateway()
    await gateway.start(None)
    verdict = await probe_once(target(url=f"https://{HOST}:{gateway.port}"))
    await gateway.stop()
    assert failed(verdict, "tls").what == "the handshake failed"


async def test_a_server_that_takes_connections_and_says_nothing(target: Make) -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    verdict = await probe_once(target(url=f"https://{HOST}:{port}", request_seconds=0.3))
    server.close()
    await server.wait_closed()
    failure = failed(verdict, "tls")
    assert failure.what == "the handshake does not end"
    assert "none within" in failure.last_answer


@pytest.mark.parametrize("stage", ["healthz", "startupz"])
@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (lambda request: web.Response(status=502), "HTTP 502"),
        (lambda request: web.json_response({"ok": False, "status": "starting"}, status=503), "starting"),
        (lambda request: web.json_response({"ok": True, "status": "started"}, status=503), "HTTP 503"),
        (lambda request: web.json_response({"ok": "true", "status": "started"}), '"true"'),
    ],
    ids=["a dead gateway", "not started", "another status", "a text"],
)
async def test_a_probe_is_judged_by_its_body(
    target: Make, gateway: Gateway, stage: str, answer: Callable[[web.Request], web.Response], shown: str
) -> None:
    gateway.answers[f"/{stage}"] = answer
    failure = failed(await probe_once(target()), stage)
    assert shown in failure.last_answer
    assert (failure.sign == "starting") == (stage == "startupz" and shown == "starting")


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (lambda request: web.Response(text=PAGE, content_type="text/html"), "HTTP 200 text/html <!doctype"),
        (lambda request: web.json_response([True]), "[true]"),
        (lambda request: web.Response(text="[" * 60_000), "HTTP 200 text/plain [["),
        (lambda request: web.Response(text='{"ok": ' * 9_000), "HTTP 200"),
        (lambda request: web.Response(text=f'{{"ok": {"9" * 10_000}}}'), "HTTP 200"),
        (lambda request: web.Response(body=b"\xff\xfe\x00{"), "HTTP 200"),
        (lambda request: web.Response(body=b"\x1f\x8b" + b"x" * 99, headers={"Content-Encoding": "gzip"}), "HTTP 200"),
        (lambda request: web.Response(text="x" * 500_000), "HTTP 200"),
    ],
    ids=["a page", "a list", "deep lists", "deep objects", "a huge number", "no text", "no gzip", "without end"],
)
async def test_whatever_a_gateway_answers_is_its_own_failure(
    target: Make, gateway: Gateway, answer: Callable[[web.Request], web.Response], shown: str
) -> None:
    gateway.answers["/healthz"] = answer
    assert shown in failed(await probe_once(target()), "healthz").last_answer


async def test_an_answer_that_comes_byte_by_byte_ends_in_time(target: Make, gateway: Gateway) -> None:
    gateway.drip = 0.05
    begun = asyncio.get_running_loop().time()
    failure = failed(await probe_once(target(request_seconds=0.5)), "healthz")
    assert failure.sign == "timeout"
    assert asyncio.get_running_loop().time() - begun < 3


@pytest.mark.parametrize("broken", [RecursionError("deep"), TypeError("odd"), MemoryError(), KeyError("canary")])
async def test_an_error_that_nobody_thought_of_is_a_failure_of_this_look(
    target: Make, gateway: Gateway, monkeypatch: pytest.MonkeyPatch, broken: Exception
) -> None:
    def fails(*_: object) -> None:
        raise broken

    monkeypatch.setattr(probe, "has_started", fails)
    failure = failed(await probe_once(target()), "startupz")
    assert type(broken).__name__ in failure.what
    assert "canary" not in str(failure)


@pytest.mark.parametrize(
    ("ready", "not_ready"),
    [
        ({"ready": False, "failing": ["telegram"]}, ("telegram",)),
        ({"ready": False, "failing": ["telegram", "discord"]}, ("telegram", "discord")),
        ({"ready": False, "failing": ["plugin-reload"]}, ("plugin-reload",)),
        ({"ready": False, "failing": ["\u001b[31m<@all>\ud800", 7, "x" * 99]}, ("31m@all", "x" * 40)),
        ({"ready": False, "failing": [f"channel-{n}" for n in range(99)]}, tuple(f"channel-{n}" for n in range(8))),
        ({"ready": False}, ()),
        ({"ready": True, "failing": []}, ()),
        (["nonsense"], ()),
    ],
)
async def test_a_channel_that_is_not_ready_fails_nothing(
    target: Make, gateway: Gateway, ready: object, not_ready: tuple[str, ...]
) -> None:
    gateway.answers["/readyz"] = lambda request: web.json_response(
        ready if request.headers.get("Authorization") == f"Bearer {TOKEN}" else {"ready": False}, status=503
    )
    verdict = await probe_once(target())
    assert verdict.healthy, verdict.failure
    assert verdict.not_ready == not_ready
    assert verdict.facts()["not_ready"] == not_ready


async def test_channels_that_nobody_tells_of_in_time_cost_neither_health_nor_speed(
    target: Make, gateway: Gateway
) -> None:
    gateway.slow["/readyz"] = 30
    verdict = await probe_once(target(request_seconds=0.5))
    assert verdict.healthy, verdict.failure
    assert verdict.total_seconds < 0.5
    verdict = await probe_once(target(request_seconds=10), within=1.5)
    assert verdict.healthy, "the look as a whole took too long, but the instance serves"


async def test_an_error_in_what_decides_nothing_is_no_failure(target: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RecursionError("deep")

    monkeypatch.setattr(probe.readiness, "not_ready", fails)
    assert (await probe_once(target())).healthy


async def test_data_that_the_gateway_refuses_are_a_failure(target: Make, gateway: Gateway) -> None:
    gateway.answers["/readyz"] = lambda request: web.json_response(
        {"ready": False, "failing": ["agent-database:main"]}, status=503
    )
    assert "agent-database:main" in failed(await probe_once(target()), "readyz").what


@pytest.mark.parametrize(
    "unknown",
    [
        lambda request: web.Response(text=PAGE, content_type="text/html"),
        lambda request: web.Response(status=404),
        lambda request: web.Response(status=401),
    ],
    ids=["the page", "not found", "the proxy"],
)
async def test_an_older_gateway_is_judged_by_its_readiness(
    target: Make, gateway: Gateway, unknown: Callable[[web.Request], web.Response]
) -> None:
    gateway.answers["/startupz"] = unknown
    verdict = await probe_once(target())
    assert verdict.healthy, verdict.failure
    assert list(verdict.seconds) == [*STAGES[:5], "readyz", "auth", "api"]
    gateway.answers["/readyz"] = lambda request: web.json_response({"ready": False}, status=503)
    failure = (await probe_once(target())).failure
    assert failure is not None
    assert (failure.stage, failure.status) == ("readyz", 503)


async def test_an_answer_that_does_not_come(target: Make, gateway: Gateway) -> None:
    gateway.delay = 5
    failure = failed(await probe_once(target(request_seconds=0.3)), "healthz")
    assert failure.what == "/healthz does not answer"


async def test_a_page_that_is_open_to_everybody(target: Make, gateway: Gateway) -> None:
    gateway.answers["/"] = lambda request: web.Response(text=PAGE, content_type="text/html")
    failure = failed(await probe_once(target()), "auth")
    assert "without a password should answer 401" in failure.what


async def test_a_password_that_is_not_taken(target: Make) -> None:
    failure = failed(await probe_once(target(password="something else")), "auth")
    assert "with the password should answer 200" in failure.what
    assert failure.last_answer == "HTTP 401"


async def test_a_page_that_is_not_the_gateways(target: Make, gateway: Gateway) -> None:
    def parked(request: web.Request) -> web.StreamResponse:
        anonymous = "Authorization" not in request.headers
        return web.Response(status=401 if anonymous else 200, text="This domain is parked.")

    gateway.answers["/"] = parked
    assert "OpenClaw's page" in failed(await probe_once(target()), "auth").what


async def test_a_gateway_that_takes_any_token(target: Make, gateway: Gateway) -> None:
    gateway.answers["/tools/invoke"] = lambda request: web.json_response({"ok": True})
    assert "should refuse a wrong token" in failed(await probe_once(target()), "api").what


async def test_a_proxy_that_refuses_in_the_gateways_place(target: Make, gateway: Gateway) -> None:
    gateway.answers["/tools/invoke"] = lambda request: web.Response(status=401)
    assert "should refuse a wrong token" in failed(await probe_once(target()), "api").what


async def test_a_gateway_with_another_token(target: Make) -> None:
    failure = failed(await probe_once(target(gateway_token="d5" * 32)), "api")
    assert failure.what == "the gateway should take its token"
    assert "Unauthorized" in failure.last_answer


@pytest.mark.parametrize(("path", "stage"), [("/healthz", "healthz"), ("/tools/invoke", "api")])
async def test_no_secret_is_shown_even_where_the_other_side_repeats_it(
    target: Make, gateway: Gateway, path: str, stage: str
) -> None:
    gateway.answers[path] = lambda request: web.Response(text=f"{KNOWN} {PASSWORD} {TOKEN}", status=500)
    failure = failed(await probe_once(target()), stage)
    assert failure.last_answer == "HTTP 500 text/plain Basic [secret] [secret] [secret]"


async def test_a_long_answer_with_control_characters_is_shown_short_and_in_one_line(
    target: Make, gateway: Gateway
) -> None:
    gateway.answers["/healthz"] = lambda request: web.Response(text="a\x1b[31m\r\n" * 50_000)
    shown = failed(await probe_once(target()), "healthz").last_answer
    assert len(shown) <= 301
    assert shown.isprintable()
