from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web

from clawdet_infra.fleet.probe import Failure, Target, Verdict, probe_once
from tests.unit.probe.world import HOST, KNOWN, PAGE, PASSWORD, TOKEN, Authority, Gateway, Names

Make = Callable[..., Target]
STAGES = ["dns", "tcp", "tls", "healthz", "readyz", "auth", "api"]


def failed(verdict: Verdict, stage: str) -> Failure:
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
    assert list(verdict.seconds) == STAGES[:-1]
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


async def test_the_ipv6_record_is_looked_at_where_it_is_asked_for(target: Make, names: Names) -> None:
    assert "has no AAAA record" in failed(await probe_once(target(ipv6="fd00::1")), "dns").what
    names.records[HOST, "AAAA"] = ["fd00::2"]
    failure = failed(await probe_once(target(ipv6="fd00::1")), "dns")
    assert "should have the AAAA record fd00::1 alone" in failure.what
    names.records[HOST, "AAAA"] = ["fd00::1"]
    verdict = await probe_once(target(ipv6="fd00::1"))
    assert verdict.healthy
    assert verdict.address == "127.0.0.1"


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


@pytest.mark.parametrize("stage", ["healthz", "readyz"])
@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (lambda request: web.Response(text=PAGE, content_type="text/html"), "HTTP 200 text/html <!doctype"),
        (lambda request: web.Response(status=502), "HTTP 502"),
        (lambda request: web.json_response({"ok": False, "ready": False, "failing": ["telegram"]}), "telegram"),
        (lambda request: web.json_response({"ok": True, "ready": True}, status=503), "HTTP 503"),
        (lambda request: web.json_response([True]), "[true]"),
        (lambda request: web.json_response({"ok": "true", "ready": "true"}), '"true"'),
    ],
    ids=["a page", "a dead gateway", "not ready", "another status", "a list", "a text"],
)
async def test_a_probe_is_judged_by_its_body(
    target: Make, gateway: Gateway, stage: str, answer: Callable[[web.Request], web.Response], shown: str
) -> None:
    gateway.answers[f"/{stage}"] = answer
    failure = failed(await probe_once(target()), stage)
    assert shown in failure.last_answer


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
