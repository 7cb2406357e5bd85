"""The whole way of a customer with the real OpenClaw: up, over HTTPS, in a browser, through an upgrade."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from tests.support.chromium import HANDOFF, Chromium, Conversation, context, expect_to_be_in
from tests.support.cloud import info_of
from tests.support.gateway import curl, invoke
from tests.support.gateways import OPENCLAW, OPENCLAW_REBUILT
from tests.support.network_vantage import vantage
from tests.support.server import Server
from tests.support.stack import Stack, customer, fleet_config

pytestmark = [
    pytest.mark.cloud,
    pytest.mark.engine,
    pytest.mark.timeout(900),
    pytest.mark.xdist_group("real gateway"),
]

CUSTOMER = "ruth"
DOMAIN = "real.test"


@pytest.fixture
def stack(cloud: dict[str, Any], tmp_path: Path) -> Iterator[Stack]:
    one = Stack(tmp_path / "project", name="real").init()
    release_to(one, cloud, OPENCLAW)
    yield one
    result = one.destroy()
    assert result.code == 0, result.output


def release_to(stack: Stack, cloud: dict[str, Any], gateway: str) -> None:
    config = fleet_config(info_of(cloud), [customer(CUSTOMER, "pro")], domain=DOMAIN, sharedHosts=[])
    stack.configure({**config, "clawdet:release": {**config["clawdet:release"], "gateway": gateway}})


def facts(stack: Stack) -> dict[str, Any]:
    outputs = stack.outputs()
    return {**outputs["customers"][CUSTOMER], **outputs["tokens"][CUSTOMER]}


def test_a_customer_from_the_first_update_over_a_browser_login_to_an_upgrade(
    stack: Stack, cloud: dict[str, Any], tmp_path: Path
) -> None:
    stack.up().ok()
    one = facts(stack)
    url, address, ca = one["url"], one["ipv4"], cloud["ca"]
    assert curl(f"{url}/healthz", address, ca).json()["ok"] is True
    assert curl(f"{url}/readyz", address, ca).json()["ready"] is True
    assert curl(f"{url}/", address, ca).status == 401
    page_source = curl(f"{url}/", address, ca, user=f"{one['user']}:{one['auth_password']}")
    assert page_source.status == 200
    assert "openclaw" in page_source.body.lower()
    assert invoke(url, address, ca, "0" * 64).status == 401
    assert invoke(url, address, ca, one["gateway_token"]).status == 200

    with vantage(cloud) as place, sync_playwright() as playwright:
        chromium = Chromium(playwright, tmp_path, {url.removeprefix("https://"): address}, place)
        profile = context(chromium.start(trusting=Path(ca)), one)
        page = profile.new_page()
        talk = Conversation(page)
        page.goto(url)
        expect_to_be_in(page)
        assert {"bootstrapToken"} in talk.credentials, "a new browser comes in by the handoff"

        server = Server(stack.folder, stack.outputs(), CUSTOMER)
        server.run(f"docker exec {CUSTOMER}-gateway-1 sh -c 'echo precious > /home/node/.openclaw/kept'")
        before = image_of(server)
        release_to(stack, cloud, OPENCLAW_REBUILT)
        updated = stack.clawdet_up()
        assert updated.code == 0, updated.output
        assert image_of(server) != before, "the new release runs"
        kept = server.run(f"docker exec {CUSTOMER}-gateway-1 cat /home/node/.openclaw/kept")
        assert kept == "precious\n"
        after = facts(stack)
        assert {name: after[name] for name in ("url", "ipv4", "gateway_token", "auth_password")} == {
            name: one[name] for name in ("url", "ipv4", "gateway_token", "auth_password")
        }
        assert invoke(url, address, ca, one["gateway_token"]).status == 200

        # The browser is still paired: it needs no second handoff.
        requested: list[str] = []
        page.on("request", lambda request: requested.append(request.url))
        again = Conversation(page)
        page.reload()
        expect_to_be_in(page)
        assert again.accepted, "the upgraded gateway let the paired browser in"
        assert not [one for one in requested if one.endswith(HANDOFF)]
        chromium.stop()


def image_of(server: Server) -> str:
    return server.run(f"docker inspect --format '{{{{.Config.Image}}}}' {CUSTOMER}-gateway-1").strip()
