"""What the proxies let through to the gateway, from raw sockets: on a server of one's own, and on a shared host."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from http.client import HTTPResponse
from itertools import product
from pathlib import Path

import pytest

from tests.contract.gateway.containers import TOKEN, Docker, Lab, Service
from tests.contract.gateway.doors import PROXY, Door, Doors, Reply, upgrade

pytestmark = [pytest.mark.cloud, pytest.mark.xdist_group("gateway"), pytest.mark.timeout(900)]

PROBES = ("/healthz", "/readyz", "/startupz")
WRONG_TOKEN = f"Authorization: Bearer {'0' * 64}"
RIGHT_TOKEN = f"Authorization: Bearer {TOKEN}"
HTML = "Accept: text/html"

# Other ways to write the probes, the API and what has the gateway's own token, and ways out of them to the page.
TARGETS = (
    *("/", "/index.html", "/anything", "/HEALTHZ", "/Readyz", "/%68ealthz", "/healthz/", "/healthz/.", "/healthz?x"),
    *("//healthz", "///healthz", "/./healthz", "/x/../healthz", "/healthz/..", "/%2e/healthz", "/x/%2E%2e/healthz"),
    *("/x%2f..%2fhealthz", "/healthz%2f..%2f", "/%2fhealthz", "/\\healthz", "/healthz\\..\\", "/%5chealthz"),
    *("/healthz;x", "/healthz#x", "/healthz%3f", "/healthz%00", "/healthz%23", "http://HOST/healthz", "http://HOST/"),
    *("/v1/", "/V1/x", "//v1/", "/v1//x", "/v1/../", "/v1/..\\plugins\\x", "/v1/%2e%2e/", "/v1/..%2f..%2f", "/v1/..;/"),
    *("/v1/%252e%252e%252f", "/v1/x/../..", "/v1/..?/", "/api/x", "/API/x", "/%61pi/x", "/api/..%5c", "/api%2fx"),
    *("/sessions/x", "/sessions/x/", "/sessions/../", "/sessions/..%2f/history", "/sessions/%2e%2e%2fx/history"),
    *("/avatar/x", "/avatar/..%2f..%2f", "/avatar/%2e%2e", "/__openclaw__/x", "/__openclaw__/../", "/__openclaw__//"),
    *("/tools/invoke", "/Tools/Invoke", "/tools/invoke/", "/tools//invoke", "/tools/invoke/../../"),
    *("/control-ui-config.json", "/Control-UI-config.json", "/.well-known/openclaw/browser-bootstrap"),
    *("/plugins/clawdet/handoff", "/v1/..%2fplugins/clawdet/handoff", "/ui/", "*"),
)
CALLERS = {
    "nothing": (),
    "a browser": (HTML,),
    "a wrong token": (WRONG_TOKEN, HTML),
    "two tokens": ("Authorization: Basic eDp5", WRONG_TOKEN, HTML),
    "xUpgrade": upgrade(connection="xUpgrade"),
    "Upgrade-x": upgrade(connection="keep-alive, Upgrade-x"),
    "no key": upgrade(key=""),
    "another protocol": upgrade(kind="h2c"),
    "two protocols": ("Upgrade: h2c", *upgrade()),
}


@pytest.fixture(scope="module")
def image(lab: Lab) -> str:
    """The gateway's image."""
    return lab.image


@contextmanager
def opened(docker: Docker, image: str, pro: Service, folder: Path) -> Iterator[dict[str, Door]]:
    """Every kind of proxy, in front of a gateway that serves and is ready."""
    network = docker.name("network", "rm")
    docker.run("network", "create", "--internal", network)
    gateway = Lab(docker, image, network, alias="gateway").start(pro)
    gateway.until("/readyz", lambda answer: answer.status == 200)
    docker.image(PROXY)
    doors = Doors(docker, docker.loaded(PROXY), network, folder)
    yield {"dedicated": doors.dedicated(), "tenant": doors.tenant(), "edge": doors.edge()}
    docker.run("rm", "--force", gateway.name)


@pytest.fixture(scope="module")
def every(
    stand_in: Lab, image: str, pro: Service, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Door]]:
    with opened(stand_in.docker, image, pro, tmp_path_factory.mktemp("doors")) as doors:
        yield doors


@pytest.fixture(scope="module")
def attacked(
    stand_in: Lab, image: str, pro: Service, every: dict[str, Door], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Door]]:
    """The same for wrong tokens, of which the real gateway takes ten from one address before it answers no more."""
    if image == stand_in.image:
        yield every
        return
    with opened(stand_in.docker, image, pro, tmp_path_factory.mktemp("attacked")) as doors:
        yield doors


@pytest.fixture(params=["dedicated", "tenant", "edge"])
def name(request: pytest.FixtureRequest) -> str:
    """The kind of proxy."""
    return str(request.param)


@pytest.fixture
def door(name: str, every: dict[str, Door]) -> Door:
    return every[name]


def test_without_credentials_only_the_three_probes_answer(name: str, attacked: dict[str, Door]) -> None:
    door = attacked[name]
    for probe in PROBES:
        for headers in CALLERS.values():
            reply = door.ask(probe, *headers)
            assert (reply.status, reply.kind) == (200, "application/json"), (probe, headers)
            assert set(json.loads(reply.body)) <= {"ok", "status", "ready"}, (probe, headers)

    asked = [(caller, target.replace("HOST", door.host)) for caller, target in product(CALLERS, TARGETS)]
    replies = door.ask_all([(target, CALLERS[caller]) for caller, target in asked])
    passed = [f"{one}: {reply.status}" for one, reply in zip(asked, replies, strict=True) if reply.status < 400]
    assert passed == []


def test_other_methods_and_other_words_for_a_password_open_nothing(door: Door) -> None:
    for method, target in product(("HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "get"), ("/", "/v1/", "/x")):
        assert door.ask(target, method=method).status >= 400, (method, target)
    assert door.ask("/healthz", method="HEAD").status == 200
    for method in ("POST", "PATCH"):
        assert door.ask("/", *upgrade(), method=method).status >= 400, method
    wrong = (
        door.basic(password="x"),
        door.basic(user="x"),
        "Authorization: Basic",
        "Authorization: Basic {env.BASIC_AUTH}",
    )
    for header in (*wrong, RIGHT_TOKEN, f"{door.basic()}, Basic eDp5", f"{door.basic()}="):
        assert door.ask("/", header).status == 401, header


def test_other_names_are_served_nothing(every: dict[str, Door]) -> None:
    for name in ("dedicated", "edge"):
        for header in ("Host: other.test", "Host: gateway:18789", "Host: 127.0.0.1", "Host:"):
            assert every[name].ask("/healthz", header).status in (400, 421), (name, header)
        plain = replace(every[name], port=80)
        assert plain.ask("/healthz").status == 308
        assert plain.ask("/healthz", "Host: other.test").status == 421


def test_http_2_is_read_the_same_way(every: dict[str, Door]) -> None:
    for name in ("dedicated", "edge"):
        door = every[name]
        for target in ("//healthz", "/HEALTHZ", "/./healthz", "/x%2f..%2fhealthz", "/v1/..%5cx", "/"):
            config = f'url = "https://{door.host}{target}"\nresolve = "{door.host}:443:{door.address}"\n'
            options = [
                "--silent",
                "--insecure",
                "--http2",
                "--path-as-is",
                "--write-out",
                "%{http_version} %{http_code}",
            ]
            done = subprocess.run(
                ["curl", *options, "--output", "/dev/null", "--config", "-"],
                input=config,
                capture_output=True,
                text=True,
                check=False,
            )
            version, status = done.stdout.split()
            assert version == "2", "curl does not speak HTTP/2, so this shows nothing"
            assert int(status) in (400, 401), target


@pytest.mark.parametrize("connection", ["Upgrade", "upgrade", "keep-alive, Upgrade", "UPGRADE ,x", "close,upgrade"])
@pytest.mark.parametrize("target", ["/", "/?x=%2f../", "/chat/main"])
def test_every_legal_way_to_open_a_websocket_opens_one(door: Door, connection: str, target: str) -> None:
    assert door.ask(target, *upgrade(connection=connection)).status == 101
    assert door.ask(target, *upgrade(connection=connection, kind="WebSocket")).status == 101


def test_the_password_opens_the_page_and_the_token_the_api(door: Door) -> None:
    for header in (door.basic(), door.basic(scheme="basic")):
        page = door.ask("/", header, HTML)
        assert (page.status, page.kind) == (200, "text/html")
    assert door.ask("/control-ui-config.json", RIGHT_TOKEN).status == 200
    assert door.ask("/control-ui-config.json", RIGHT_TOKEN.replace("Bearer", "bearer")).status == 200
    assert door.ask("/control-ui-config.json", door.basic()).status == 401, "the gateway wants its token there"
    assert door.ask("/control-ui-config.json", WRONG_TOKEN).kind == "application/json", "it is the gateway that refuses"


def test_names_with_dots_and_slashes_get_through_where_the_gateway_puts_them(door: Door) -> None:
    keyed = (
        "/sessions/agent%3Ax%2Fy/history",
        "/avatar/a%2Fb",
        "/api/users/a%2Fb/avatar",
        "/__openclaw__/plugin-icon/%40a%2Fb",
    )
    for target in keyed:
        # What the gateway makes of a name that it does not know is its own affair; the proxy refuses with 400.
        assert door.ask(target, RIGHT_TOKEN).status != 400, target
        assert door.ask(target).status == 401, target
    for target in ("/chat/main/a%2Fb%2Ec", "/agents/v1%2E2", "/chat/main/~dotdot"):
        assert door.ask(target, door.basic(), HTML).kind == "text/html", target
        assert door.ask(target).status == 401, target
    # Elsewhere they are for nobody who has no password.
    for target in ("/v1/a%2Fb", "/api/a%2Eb", "/sessions/a%2Fb"):
        assert door.ask(target, RIGHT_TOKEN).status == 401, target


def test_a_browser_that_gave_the_password_gets_its_credential_for_this_sites_page_alone(door: Door) -> None:
    target, own = "/.well-known/openclaw/browser-bootstrap", "Sec-Fetch-Site: same-origin"
    assert door.ask(target, own).status == 401
    assert door.ask(target, door.basic()).status == 403
    assert door.ask(target, door.basic(), "Sec-Fetch-Site: cross-site").status == 403
    given = door.ask(target, door.basic(), own)
    assert given.status == 200
    assert json.loads(given.body)["bootstrapToken"]


def test_a_wrong_password_costs_the_connection_and_next_to_no_time(every: dict[str, Door]) -> None:
    for name in ("dedicated", "edge"):
        door = every[name]
        with door.connect() as connection:
            assert not door.ask_on(connection, "/").close
            assert not door.ask_on(connection, "/", door.basic()).close
            assert door.ask_on(connection, "/", door.basic(password="x")).close
    door = every["dedicated"]
    tries = [door.basic(user=f"x{number}" if number % 2 else None, password="x") for number in range(60)]
    begun = time.monotonic()
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda header: door.ask("/", header).status, tries))
        probes = [door.ask("/healthz").status for _ in range(3)]
    assert set(found) == {401}
    assert set(probes) == {200}
    assert time.monotonic() - begun < 15, "a slow hash would take a minute for these"


SLOW_UPLOAD_SECONDS = 64
"""Longer than proxies usually wait for a body."""


def upload_slowly(door: Door) -> Reply:
    """Send a request whose body takes a while, a piece at a time."""
    body = b'{"tool": "sessions_list"}'
    head = f"POST /tools/invoke HTTP/1.1\r\nHost: {door.host}\r\n{RIGHT_TOKEN}\r\nContent-Length: {len(body)}\r\n\r\n"
    with door.connect() as connection:
        connection.sendall(head.encode())
        for piece in (body[:8], body[8:16], body[16:]):
            connection.sendall(piece)
            if piece != body[16:]:
                time.sleep(SLOW_UPLOAD_SECONDS / 2)
        answer = HTTPResponse(connection, method="POST")
        answer.begin()
        return Reply(answer.status, "", answer.read(), answer.will_close)


def test_an_upload_that_takes_more_than_a_minute_arrives(every: dict[str, Door]) -> None:
    with ThreadPoolExecutor(len(every)) as pool:
        replies = dict(zip(every, pool.map(upload_slowly, every.values()), strict=True))
    for name, reply in replies.items():
        # OpenClaw has a time limit of its own for this path; the answer of a proxy that gave up has no body.
        answered = reply.status == 200 or json.loads(reply.body or b"{}").get("error")
        assert answered, f"{name}: {reply}"
