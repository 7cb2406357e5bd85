"""What a customer gets: an address that answers as it should, seen with curl."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.chromium import HANDOFF
from tests.support.gateway import curl, invoke
from tests.support.live import LiveFleet
from tests.support.stack import customer

pytestmark = [pytest.mark.cloud, pytest.mark.engine, pytest.mark.timeout(900)]


@pytest.mark.parametrize("identity", ["alice", "user123"])
def test_probes_answer_over_a_certificate_of_the_local_ca(
    fleet: LiveFleet, ask: Callable[[str], dict[str, Any]], identity: str
) -> None:
    one = ask(identity)
    healthz = curl(f"{one['url']}/healthz", one["ipv4"], fleet.cloud["ca"])
    readyz = curl(f"{one['url']}/readyz", one["ipv4"], fleet.cloud["ca"])
    assert healthz.status == 200
    assert healthz.json()["ok"] is True, "an unknown path answers 200 too, so the body has to tell"
    assert readyz.status == 200
    assert readyz.json()["ready"] is True


@pytest.mark.parametrize("identity", ["alice", "user123"])
def test_the_page_needs_the_password(fleet: LiveFleet, ask: Callable[[str], dict[str, Any]], identity: str) -> None:
    one = ask(identity)
    user = f"{one['user']}:{one['auth_password']}"
    assert curl(f"{one['url']}/", one["ipv4"], fleet.cloud["ca"]).status == 401
    assert curl(f"{one['url']}/", one["ipv4"], fleet.cloud["ca"], user=f"{one['user']}:wrong").status == 401
    page = curl(f"{one['url']}/", one["ipv4"], fleet.cloud["ca"], user=user)
    assert page.status == 200
    assert "<html" in page.body.lower()


@pytest.mark.parametrize("identity", ["alice", "user123"])
def test_the_api_needs_the_token(fleet: LiveFleet, ask: Callable[[str], dict[str, Any]], identity: str) -> None:
    one = ask(identity)
    assert invoke(one["url"], one["ipv4"], fleet.cloud["ca"], None).status == 401
    assert invoke(one["url"], one["ipv4"], fleet.cloud["ca"], "0" * 64).status == 401
    assert invoke(one["url"], one["ipv4"], fleet.cloud["ca"], one["gateway_token"]).status == 200


def test_nothing_is_to_be_done_right_after_an_update(fleet: LiveFleet) -> None:
    result = fleet.stack.preview("--expect-no-changes")
    assert result.code == 0, result.output


def test_the_handoff_is_for_this_sites_own_page_after_the_password(
    fleet: LiveFleet, ask: Callable[[str], dict[str, Any]]
) -> None:
    one = ask("user123")
    person = f"{one['user']}:{one['auth_password']}"

    def hand_over(*headers: str, user: str | None = None) -> int:
        host = one["url"].removeprefix("https://")
        lines = [f'resolve = "{host}:443:{one["ipv4"]}"', f'cacert = "{fleet.cloud["ca"]}"', "http1.1"]
        lines += [f'header = "{header}"' for header in headers] + ([f'user = "{user}"'] if user else [])
        asked = ["curl", "--silent", "--max-time", "20", "--output", "/dev/null", "--write-out", "%{http_code}"]
        done = subprocess.run(
            [*asked, "--config", "-", one["url"] + HANDOFF],
            input="\n".join(lines),
            capture_output=True,
            text=True,
            check=True,
        )
        return int(done.stdout)

    own, foreign = "Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: cross-site"
    assert hand_over(own, user=person) == 200
    assert hand_over(own) == 401
    assert hand_over(own, user=f"{one['user']}:wrong") == 401
    assert hand_over(own, "Connection: Upgrade", "Upgrade: websocket") == 401, "WebSockets need no password"
    assert hand_over(foreign, user=person) == 403
    assert hand_over(user=person) == 403


@pytest.mark.machines_full
def test_an_enterprise_customer_has_a_browser_that_only_its_gateway_reaches(fleet: LiveFleet) -> None:
    fleet.deploy([customer("acme", "enterprise")])
    server = fleet.server("acme")
    listening = server.run(
        "docker exec $(docker ps -q -f name=gateway) node -e "
        "\"fetch('http://127.0.0.1:9222/json/version').then(r => r.json()).then(v => console.log(v.Browser))\""
    )
    assert "Chrome" in listening
    assert server.attempt("curl --silent --max-time 3 http://127.0.0.1:9222/json/version").returncode != 0
