from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from clawdet_infra.error_line import FailureCode, read
from clawdet_infra.probe import Target, probe_until_healthy
from tests.unit.probe.world import HOST, PASSWORD, TOKEN, Gateway, Names

ROOT = Path(__file__).resolve().parents[3]
Make = Callable[..., Target]


def as_input(target: Target) -> dict[str, Any]:
    fields = target.model_dump(mode="json")
    return {**fields, "password": PASSWORD, "gateway_token": TOKEN}


async def run(text: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "clawdet_infra.probe",
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate(text.encode())
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()


async def test_a_healthy_customer_is_one_line_of_json(target: Make) -> None:
    code, output, errors = await run(json.dumps(as_input(target())))
    assert (code, errors) == (0, "")
    assert output.count("\n") == 1
    facts = json.loads(output)
    assert facts["healthy"] is True
    assert facts["looks"] == 1
    assert set(facts["seconds"]) == {"dns", "tcp", "tls", "healthz", "startupz", "auth", "api", "readyz"}
    assert PASSWORD not in output
    assert TOKEN not in output


async def test_an_unhealthy_customer_is_one_sentence_and_ends_at_the_deadline(target: Make, gateway: Gateway) -> None:
    gateway.answers["/startupz"] = lambda request: web.json_response({"ok": False, "status": "starting"}, status=503)
    begun = time.monotonic()
    code, output, errors = await run(json.dumps(as_input(target(deadline_seconds=3))))
    assert (code, output) == (1, "")
    assert errors.count("\n") == 1
    failure, sentence = read(errors)
    assert failure is FailureCode.UNHEALTHY
    assert sentence.startswith("customer user123: probe startupz failed: /startupz does not say status: started (")
    assert errors.rstrip().endswith('last answer: HTTP 503 application/json {"ok": false, "status": "starting"}')
    assert time.monotonic() - begun < 15


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"url": "http://user123.clawdet.test"}, "url: Value error, the URL must be https://"),
        ({"resolver": "nowhere"}, "resolver: "),
        ({"pasword": "canary"}, "pasword: Extra inputs are not permitted"),
        ({"ca_bundle": "/nowhere/ca.pem"}, "the CA bundle /nowhere/ca.pem cannot be used"),
    ],
    ids=["no https", "no address", "a misspelt key", "a missing file"],
)
async def test_an_input_that_is_wrong_is_exit_code_2_without_values(
    target: Make, change: dict[str, Any], said: str
) -> None:
    code, _, errors = await run(json.dumps(as_input(target()) | change))
    assert code == 2
    assert read(errors)[0] is FailureCode.INPUT
    assert said in errors
    assert "canary" not in errors
    assert TOKEN not in errors


async def test_a_customer_that_gets_healthy_in_time_passes(target: Make, gateway: Gateway) -> None:
    good, looks = gateway.answers["/startupz"], 0

    def slowly(request: web.Request) -> web.StreamResponse:
        nonlocal looks
        looks += 1
        return good(request) if looks > 3 else web.json_response({"ok": False, "status": "starting"}, status=503)

    gateway.answers["/startupz"] = slowly
    outcome = await probe_until_healthy(target(deadline_seconds=20))
    assert outcome.verdict.healthy
    assert outcome.looks == 4


async def test_a_look_in_progress_is_given_up_at_the_deadline(target: Make, gateway: Gateway) -> None:
    gateway.delay = 30
    begun = time.monotonic()
    outcome = await probe_until_healthy(target(deadline_seconds=1.5, request_seconds=30))
    assert not outcome.verdict.healthy
    assert time.monotonic() - begun < 6


async def test_an_address_that_a_resolver_still_keeps_is_waited_for_beyond_the_deadline(
    target: Make, names: Names
) -> None:
    names.records[HOST, "A"] = ["192.0.2.1"]
    asyncio.get_running_loop().call_later(1.0, names.records.update, {(HOST, "A"): ["127.0.0.1"]})
    outcome = await probe_until_healthy(target(ipv4="127.0.0.1", deadline_seconds=0.5, stale_dns_seconds=20))
    assert outcome.verdict.healthy, outcome.verdict.failure
    assert outcome.looks > 1


async def test_an_address_that_stays_wrong_fails_when_every_resolver_has_forgotten_it(
    target: Make, names: Names
) -> None:
    names.records[HOST, "A"] = ["192.0.2.1"]
    outcome = await probe_until_healthy(target(ipv4="127.0.0.1", deadline_seconds=0.2, stale_dns_seconds=1.5))
    assert outcome.verdict.failure is not None
    assert (outcome.verdict.failure.sign, outcome.looks > 1) == ("wrong-address", True)
