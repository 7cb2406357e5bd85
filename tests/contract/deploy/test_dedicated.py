"""A customer with a server of their own, as Docker and the network really see it."""

from __future__ import annotations

import base64
import json
import socket
import ssl
from dataclasses import replace
from ipaddress import IPv6Network
from typing import Any

import pytest

from clawdet_infra import render
from clawdet_infra.agent.names import AGENT
from clawdet_infra.config import PLANS
from clawdet_infra.layout import CustomerLayout
from clawdet_infra.probe import probe_until_healthy
from tests.contract.deploy.place import API_KEY, TELEGRAM, Place, password, token
from tests.support.gateway import curl, is_open, websocket
from tests.support.gateways import STAND_IN, gateway

pytestmark = pytest.mark.cloud

TOKEN, PASSWORD = token("big"), password("big")
SECRETS = {"API key": API_KEY, "bot": TELEGRAM, "token": TOKEN, "password": PASSWORD}
BROWSER = "http://127.0.0.1:9222/json/version"


@pytest.fixture
def big(dedicated: Place) -> CustomerLayout:
    return dedicated.customer("big")


async def test_it_is_healthy_seen_from_outside(dedicated: Place, big: CustomerLayout) -> None:
    outcome = await probe_until_healthy(dedicated.target(big))
    assert outcome.verdict.healthy, outcome.verdict.failure
    assert outcome.verdict.address == dedicated.address


@pytest.mark.skipif(gateway() != STAND_IN, reason="the switch is the stand-in's")
async def test_a_channel_that_does_not_reach_its_service_fails_and_restarts_nothing(
    dedicated: Place, big: CustomerLayout
) -> None:
    switches = "/home/node/.openclaw/stand-in.json"
    before = dedicated.started("big")
    dedicated.run(f"docker exec -i big-gateway-1 sh -c 'cat > {switches}'", '{"failing": ["telegram"]}')
    try:
        outcome = await probe_until_healthy(dedicated.target(big, deadline_seconds=30))
        ran = dedicated.deploy(dedicated.payload(big))
        dedicated.guard()
    finally:
        dedicated.run(f"docker exec big-gateway-1 rm {switches}")
    assert outcome.verdict.healthy, outcome.verdict.failure
    assert outcome.verdict.not_ready == ("telegram",), "the proxy hands the token on"
    assert ran.code == 0, ran.errors
    assert dedicated.started("big") == before


async def test_a_wrong_password_and_a_wrong_token_are_named_as_such(dedicated: Place, big: CustomerLayout) -> None:
    await probe_until_healthy(dedicated.target(big))
    for change, stage in (({"password": "wrong"}, "auth"), ({"gateway_token": "d5" * 32}, "api")):
        outcome = await probe_until_healthy(dedicated.target(big, deadline_seconds=1, **change))
        assert outcome.verdict.failure is not None
        assert outcome.verdict.failure.stage == stage


def test_docker_holds_every_container_to_what_the_template_says(dedicated: Place) -> None:
    names = dedicated.run("docker ps --format '{{.Names}}'").split()
    assert sorted(names) == ["big-browser-1", "big-gateway-1", "big-namespace-1", "big-proxy-1"]
    for one in dedicated.inspect(*names):
        host = one["HostConfig"]
        assert host["CapDrop"] == ["ALL"], one["Name"]
        assert host["ReadonlyRootfs"], one["Name"]
        assert host["SecurityOpt"] == ["no-new-privileges:true"]
        assert host["Memory"] == host["MemorySwap"] > 0
        assert host["NanoCpus"] > 0
        assert host["PidsLimit"] > 0
        assert host["RestartPolicy"]["Name"] == "unless-stopped"
        assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-file": "3", "max-size": "10m"}}
        assert not [mount for mount in one["Mounts"] if "docker.sock" in mount["Source"]]
        assert "@sha256:" in one["Config"]["Image"]
    status = "grep -E '^(CapBnd|CapEff|NoNewPrivs)' /proc/1/status"
    gateway = dedicated.run(f"docker exec big-gateway-1 {status}".replace("'", '"'))
    assert gateway.split() == ["CapEff:", "0" * 16, "CapBnd:", "0" * 16, "NoNewPrivs:", "1"]


def test_each_container_knows_its_own_secrets_only(dedicated: Place) -> None:
    environment = {
        one["Name"].split("-")[1]: json.dumps(one["Config"]["Env"])
        for one in dedicated.inspect("big-gateway-1", "big-proxy-1", "big-browser-1", "big-namespace-1")
    }
    found = {
        container: {name for name, secret in SECRETS.items() if secret in text}
        for container, text in environment.items()
    }
    assert found == {
        "gateway": {"API key", "bot", "token"},
        "proxy": {"password", "token"},
        "browser": set(),
        "namespace": set(),
    }


def test_no_secret_is_in_an_argument_a_log_or_a_file_but_the_env_file(dedicated: Place) -> None:
    search = (
        "cat > /dev/shm/patterns; "
        "grep -azFf /dev/shm/patterns /proc/[0-9]*/cmdline; "
        "for one in $(docker ps --quiet); do docker logs $one 2>&1 | grep -F -f /dev/shm/patterns; done; "
        "journalctl --quiet --no-pager | grep -F -f /dev/shm/patterns; "
        "grep -rlFf /dev/shm/patterns /srv /etc /root /tmp /usr/local /var/log /var/lib/cloud; "
        "rm /dev/shm/patterns"
    )
    found = dedicated.ssh(search, "\n".join(SECRETS.values()) + "\n").output.split()
    assert found, "the gateway gets its secrets from somewhere"
    assert all(path.endswith("/.env") for path in found), found
    modes = dedicated.run(f"stat --format '%a %U' /srv/clawdet/big {' '.join(found)}").splitlines()
    assert modes == ["700 root", *["600 root"] * len(found)]


def test_the_proxy_asks_for_the_password_everywhere_but_where_the_gateway_has_its_own_key(
    dedicated: Place, big: CustomerLayout
) -> None:
    def status(path: str, **how: str) -> int:
        return curl(f"{big.url}{path}", dedicated.address, dedicated.cloud["ca"], **how).status

    for path in ("/", "/assets/x.js", "/tools/invoke", "/v1/models", "/api/x", "/anything"):
        assert status(path) == 401, path
    assert status("/", bearer=TOKEN) == 401, "the gateway's token is no password for the page"
    assert status("/", user=f"{big.user}:{PASSWORD}") == 200
    assert status("/", user=f"{big.user}:{PASSWORD}x") == 401
    for path in ("/healthz", "/readyz", "/startupz"):
        assert status(path) == 200, path
    assert status("/v1/models", bearer="d5" * 32) in (401, 404), "the gateway answers, and lets nobody in"


def talk(place: Place, customer: CustomerLayout, request: str) -> str:
    """Send raw HTTP over TLS and return the answer, or its beginning where the connection stays open."""
    context = ssl.create_default_context(cafile=place.cloud["ca"])
    with (
        socket.create_connection((place.address, 443), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname=customer.fqdn) as connection,
    ):
        connection.sendall(request.replace("\n", "\r\n").encode())
        answer = connection.recv(8192)
        while "Connection: close" in request and (more := connection.recv(8192)):
            answer += more
        return answer.decode(errors="replace")


def test_a_websocket_needs_no_password_and_gets_the_gateways_challenge(dedicated: Place, big: CustomerLayout) -> None:
    key = base64.b64encode(b"0123456789abcdef").decode()
    answer = talk(
        dedicated,
        big,
        f"GET / HTTP/1.1\nHost: {big.fqdn}\nConnection: Upgrade\nUpgrade: websocket\n"
        f"Sec-WebSocket-Version: 13\nSec-WebSocket-Key: {key}\nOrigin: {big.url}\n\n",
    )
    assert answer.startswith("HTTP/1.1 101"), answer
    half = talk(dedicated, big, f"GET / HTTP/1.1\nHost: {big.fqdn}\nUpgrade: websocket\nConnection: close\n\n")
    assert half.startswith("HTTP/1.1 401"), "a header alone must not open the page"


def test_what_a_caller_says_of_itself_is_not_passed_on(dedicated: Place, big: CustomerLayout) -> None:
    # A local caller gets details of the readiness; one from outside must not become local by a header.
    claims = "X-Forwarded-For: 127.0.0.1\nX-Real-IP: 127.0.0.1\nForwarded: for=127.0.0.1\n"
    answer = talk(dedicated, big, f"GET /readyz HTTP/1.1\nHost: {big.fqdn}\n{claims}Connection: close\n\n")
    assert answer.startswith("HTTP/1.1 200"), answer
    # A gateway may send its answer in chunks, whose sizes stand between the head and the body.
    body = answer[answer.index("{") : answer.rindex("}") + 1]
    assert json.loads(body) == {"ready": True}
    inside = dedicated.run("docker exec big-gateway-1 curl --silent http://127.0.0.1:18789/readyz")
    assert "uptimeMs" in inside, "the gateway no longer tells local callers more, so this shows nothing"


def test_answers_carry_hsts_and_http_leads_to_https(dedicated: Place, big: CustomerLayout) -> None:
    answer = talk(dedicated, big, f"GET /healthz HTTP/1.1\nHost: {big.fqdn}\nConnection: close\n\n").lower()
    assert "strict-transport-security: max-age=31536000" in answer
    assert "alt-svc" not in answer, "HTTP/3 is not reachable"
    with socket.create_connection((dedicated.address, 80), timeout=20) as plain:
        plain.sendall(f"GET / HTTP/1.1\r\nHost: {big.fqdn}\r\nConnection: close\r\n\r\n".encode())
        redirect = plain.recv(4096).decode()
    assert redirect.startswith("HTTP/1.1 308")
    assert f"location: {big.url}/" in redirect.lower()


def test_callers_have_their_own_addresses_and_ipv6_has_no_way_around_that(
    dedicated: Place, big: CustomerLayout
) -> None:
    with socket.create_connection((dedicated.address, 443), timeout=20) as own:
        mine = own.getsockname()[0]
    curl(f"{big.url}/canary-of-a-caller", dedicated.address, dedicated.cloud["ca"])
    log = [
        json.loads(line)
        for line in dedicated.run("docker logs big-proxy-1 2>/dev/null | grep canary-of-a").splitlines()
    ]
    assert {one["request"]["remote_ip"] for one in log} == {mine}
    ipv6 = str(IPv6Network(dedicated.server.public_net.ipv6.ip)[1])
    socket.create_connection((ipv6, 22), timeout=20).close()
    for port in (80, 443):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((ipv6, port), timeout=20)


def test_access_logs_have_no_credentials(dedicated: Place, big: CustomerLayout) -> None:
    curl(f"{big.url}/?token=canary-in-a-url", dedicated.address, dedicated.cloud["ca"], user=f"{big.user}:{PASSWORD}")
    log = dedicated.run("docker logs big-proxy-1 2>&1")
    assert '"uri":"/?…"' in log
    assert "canary-in-a-url" not in log
    assert base64.b64encode(f"{big.user}:{PASSWORD}".encode()).decode() not in log


def test_the_gateway_has_its_browser_and_nobody_else_does(dedicated: Place) -> None:
    answer = json.loads(dedicated.run(f"docker exec big-gateway-1 curl --silent {BROWSER}"))
    assert "webSocketDebuggerUrl" in answer
    assert "Chrome" in answer["Browser"]
    assert dedicated.ssh(f"curl --silent --max-time 3 {BROWSER}").code != 0, "it is out of the server's own reach"
    (namespace,) = dedicated.inspect("big-namespace-1")
    address = namespace["NetworkSettings"]["Networks"]["big_default"]["IPAddress"]
    knock = f"docker exec big-proxy-1 nc -w 4 {address}"
    assert dedicated.ssh(f"{knock} 18789 -e true").code == 0, "the proxy does reach the namespace"
    assert dedicated.ssh(f"{knock} 9222 -e true").code != 0


def test_the_browser_is_still_there_after_the_gateway_was_killed(dedicated: Place) -> None:
    dedicated.run("docker kill --signal KILL big-gateway-1; docker start big-gateway-1")
    look = f"docker exec big-gateway-1 curl --silent --retry 20 --retry-connrefused {BROWSER}"
    assert "webSocketDebuggerUrl" in dedicated.run(look)


META = """
ip netns add meta && ip link add meta0 type veth peer name inner netns meta
ip addr add 192.0.2.1/24 dev meta0 && ip link set meta0 up
ip -n meta addr add 192.0.2.2/24 dev inner && ip -n meta addr add 169.254.169.254/32 dev inner
ip -n meta addr add 198.51.100.254/32 dev inner && ip -n meta link set inner up && ip -n meta link set lo up
ip -n meta route add default via 192.0.2.1
ip route add 169.254.169.254/32 via 192.0.2.2 && ip route add 198.51.100.254/32 via 192.0.2.2
nohup ip netns exec meta python3 -m http.server 8000 --bind 0.0.0.0 >/dev/null 2>&1 &
sleep 1
"""


def test_containers_reach_neither_the_metadata_service_nor_this_servers_ports(dedicated: Place) -> None:
    dedicated.run("modprobe veth 2>/dev/null; " + META)
    try:
        reach = "docker exec big-gateway-1 curl --silent --max-time 4 --output /dev/null "
        assert dedicated.ssh("curl --silent --max-time 4 -o /dev/null http://169.254.169.254:8000/").code == 0
        assert dedicated.ssh(f"{reach} http://198.51.100.254:8000/").code == 0, "containers can go that way at all"
        gateway = dedicated.run(
            "docker network inspect --format '{{(index .IPAM.Config 0).Gateway}}' big_default"
        ).strip()
        ports = [f"{reach} telnet://{address}:22 </dev/null" for address in (gateway, dedicated.address)]
        codes = dedicated.codes([f"{reach} http://169.254.169.254:8000/", *ports])
        assert set(codes.values()) == {28}, f"it has to be dropped: {codes}"
    finally:
        dedicated.run(
            "ip netns pids meta | xargs -r kill; ip netns delete meta; ip link delete meta0 2>/dev/null; true"
        )


def own_settings(place: Place) -> dict[str, Any]:
    """The gateway's settings, once it has been started with them."""
    # The file is written before the gateway takes the place of the shell that starts it.
    started = "docker exec big-gateway-1 curl --silent --fail http://127.0.0.1:18789/healthz >/dev/null 2>&1"
    place.until(started, "the gateway has started", 120)
    return json.loads(place.run("docker exec big-gateway-1 cat /home/node/.openclaw/openclaw.json"))


def test_the_customers_own_settings_stay_and_the_deployments_come_back(dedicated: Place, big: CustomerLayout) -> None:
    change = (
        'docker exec -i big-gateway-1 node -e \'const fs=require("fs"),f=process.env.OPENCLAW_CONFIG_PATH,'
        'c=JSON.parse(fs.readFileSync(f));c.agents.defaults.model.primary="anthropic/claude-opus-5";'
        'c.gateway.controlUi.allowedOrigins=["https://evil.example"];c.gateway.tls={enabled:true};'
        'c.gateway.auth.token="ab".repeat(32);c.plugins.deny=["clawdet-handoff"];'
        'fs.writeFileSync(f,"\\ufeff// My own.\\n"+JSON.stringify(c))\''
    )
    dedicated.run(change)
    dedicated.run("docker restart big-gateway-1")
    settings = own_settings(dedicated)
    assert settings["agents"]["defaults"]["model"]["primary"] == "anthropic/claude-opus-5"
    assert settings["gateway"]["controlUi"]["allowedOrigins"] == [big.url]
    assert settings["gateway"]["auth"] == {"mode": "token"}
    assert dedicated.deploy(dedicated.payload(big)).code == 0, (
        "with the token of the deployment it says that it is ready"
    )
    kept = dedicated.run("docker exec big-gateway-1 head -n 1 /home/node/.openclaw/openclaw.json.as-written")
    assert kept == "\ufeff// My own.\n"
    seen = json.loads(dedicated.run(f"python3 -I {AGENT} status big"))["projects"]["big"]["overruled"]
    assert sorted(seen) == ["gateway.auth.token", "gateway.controlUi.allowedOrigins", "gateway.tls", "plugins.deny"]


def test_settings_that_cannot_be_read_are_put_aside_and_the_gateway_starts(
    dedicated: Place, big: CustomerLayout
) -> None:
    home = "/home/node/.openclaw"
    broken = "{gateway: {auth: {mode: 'none'}},"
    dedicated.run(f"docker exec -i big-gateway-1 sh -c 'cat > {home}/openclaw.json'", broken)
    dedicated.run("docker restart big-gateway-1")
    settings = own_settings(dedicated)
    assert settings["gateway"]["auth"]["mode"] == "token"
    assert settings["gateway"]["controlUi"]["allowedOrigins"] == [big.url]
    aside = f"{home}/openclaw.json.unreadable-*"
    assert dedicated.run(f"docker exec big-gateway-1 sh -c 'cat {aside}; rm {aside}'") == broken
    assert f"{home}/openclaw.json was put aside as {home}/openclaw.json.unreadable-" in dedicated.run(
        "docker logs big-gateway-1 2>&1"
    )


def test_deploying_the_same_again_restarts_nothing_and_is_quick(dedicated: Place, big: CustomerLayout) -> None:
    before = dedicated.started("big")
    ran = dedicated.deploy(dedicated.payload(big))
    assert ran.code == 0, ran.errors
    assert dedicated.started("big") == before


def test_another_configuration_of_the_proxy_ends_no_connection(dedicated: Place, big: CustomerLayout) -> None:
    before = dedicated.started("big")
    with websocket(dedicated.address, big.fqdn, dedicated.cloud["ca"]) as connection:
        ran = dedicated.deploy(dedicated.payload(big, email="other@deploy.test"))
        assert ran.code == 0, ran.errors
        assert is_open(connection)
    assert dedicated.started("big") == before
    admin = "docker exec big-proxy-1 wget -q -O - http://127.0.0.1:2019/config/apps/tls"
    assert "other@deploy.test" in dedicated.run(admin)


def test_while_the_gateway_restarts_callers_are_told_so(dedicated: Place, big: CustomerLayout) -> None:
    known = base64.b64encode(f"{big.user}:{PASSWORD}".encode()).decode()

    def ask(head: str) -> str:
        return talk(dedicated, big, f"GET / HTTP/1.1\nHost: {big.fqdn}\nConnection: close\n{head}\n")

    dedicated.run("docker stop --time 1 big-gateway-1")
    try:
        page = ask(f"Authorization: Basic {known}\nAccept: text/html,*/*;q=0.8\n")
        answer = ask(f"Authorization: Basic {known}\nAccept: application/json\n")
        stranger = ask("Accept: text/html\n")
    finally:
        dedicated.run("docker start big-gateway-1")
        own_settings(dedicated)
    for one in (page, answer):
        assert one.startswith("HTTP/1.1 503"), one
        assert "\r\nRetry-After: 5\r\n" in one
        assert "\r\nServer:" not in one
    assert "does not answer right now" in page
    assert 'http-equiv="refresh"' in page
    assert json.loads(answer.partition("\r\n\r\n")[2])["error"]["type"] == "unavailable"
    assert stranger.startswith("HTTP/1.1 401"), "who has no password learns nothing"


def test_what_the_gateway_compiled_is_kept_for_its_image_alone(dedicated: Place) -> None:
    mounts = {one["Destination"]: one for one in dedicated.inspect("big-gateway-1")[0]["Mounts"]}
    volume = mounts["/var/cache/openclaw"]["Name"]
    assert volume.startswith("big_compile-cache-")
    # Its process writes there when it ends in order, and a minute after its start.
    dedicated.run("docker restart --time 10 big-gateway-1")
    own_settings(dedicated)
    kept = "docker exec big-gateway-1 find /var/cache/openclaw -type f -size +0 | grep -q ."
    dedicated.until(kept, "something compiled is kept", 90)


async def test_a_release_that_does_not_start_leaves_the_running_one_alone(
    dedicated: Place, big: CustomerLayout
) -> None:
    before = dedicated.started("big")
    ran = dedicated.deploy(dedicated.payload(big, gateway=dedicated.images.proxy))
    assert ran.code == 1
    assert ran.errors.count("\n") == 1
    assert ran.errors.startswith("[clawdet:not-ready] customer big: probe restarts failed: gateway does not stay up; ")
    assert "node: not found" in ran.errors
    assert "the running release was not touched" in ran.errors
    assert dedicated.started("big") == before
    assert not dedicated.run("docker ps --all --quiet --filter label=com.docker.compose.project=big_preflight")
    outcome = await probe_until_healthy(dedicated.target(big, deadline_seconds=30))
    assert outcome.verdict.healthy, outcome.verdict.failure


def test_an_image_that_cannot_be_had_leaves_the_running_one_alone(dedicated: Place, big: CustomerLayout) -> None:
    before = dedicated.started("big")
    missing = f"{dedicated.cloud['registry']}/library/nothing@sha256:{'1' * 64}"
    ran = dedicated.deploy(dedicated.payload(big, gateway=missing))
    assert ran.code == 1
    assert ran.errors.count("\n") == 1
    assert ran.errors.startswith(f"[clawdet:deployment] customer big: pulling the image {missing} failed: ")
    assert dedicated.started("big") == before
    assert dedicated.run("readlink /srv/clawdet/big/current") == dedicated.run("readlink /srv/clawdet/big/good")


async def test_a_customer_who_changes_plan_keeps_their_data_and_token(dedicated: Place, big: CustomerLayout) -> None:
    dedicated.run("docker exec big-gateway-1 sh -c 'echo precious > /home/node/.openclaw/kept'")
    smaller = replace(big, plan=PLANS["pro"], limits=PLANS["pro"].limits, browser_limits=None)
    for plan, services in ((smaller, {"gateway", "proxy"}), (big, {"gateway", "proxy", "browser", "namespace"})):
        ran = dedicated.deploy(dedicated.payload(plan))
        assert ran.code == 0, ran.errors
        assert set(dedicated.started("big")) == services
        outcome = await probe_until_healthy(dedicated.target(big))
        assert outcome.verdict.healthy, outcome.verdict.failure
        assert dedicated.run("docker exec big-gateway-1 cat /home/node/.openclaw/kept") == "precious\n"


async def test_a_restore_that_was_killed_between_its_renames_is_finished_first(
    dedicated: Place, big: CustomerLayout
) -> None:
    folder = dedicated.run("docker volume inspect --format '{{.Mountpoint}}' big_state").strip()
    home = "/srv/clawdet/big"
    dedicated.run(f"echo precious > {folder}/conversation && docker stop big-gateway-1")
    good = int(dedicated.run(f"basename $(readlink {home}/good)"))
    dedicated.run(
        f"cp -a {folder} {home}/state-before-upgrade && printf {good} > {home}/state-before-upgrade.release"
        f" && cp -a {folder} {folder}.restored && echo migrated > {folder}/conversation"
        f" && echo 'bring the copy' > {home}/state-restoring && mv {folder} {folder}.replaced"
    )
    # Docker starts without the folder of its volume, and the guard does not start the gateway on it.
    dedicated.run("systemctl restart docker")
    dedicated.guard()
    ran = dedicated.deploy(dedicated.payload(big))
    assert ran.code == 0, ran.errors
    assert dedicated.run(f"cat {folder}/conversation {home}/state-set-aside/conversation") == "precious\nmigrated\n"
    assert dedicated.run(f"ls -d {folder}* {home}/state-*").split() == [f"{home}/state-set-aside", folder]
    outcome = await probe_until_healthy(dedicated.target(big, deadline_seconds=60))
    assert outcome.verdict.healthy, outcome.verdict.failure


async def test_a_reboot_brings_everything_back_behind_the_same_rules(dedicated: Place, big: CustomerLayout) -> None:
    dedicated.run("docker exec big-gateway-1 sh -c 'echo precious > /home/node/.openclaw/kept'")
    dedicated.reboot()
    outcome = await probe_until_healthy(dedicated.target(big))
    assert outcome.verdict.healthy, outcome.verdict.failure
    assert dedicated.run("docker exec big-gateway-1 cat /home/node/.openclaw/kept") == "precious\n"
    assert "-j CLAWDET-FORWARD" in dedicated.run("iptables -S DOCKER-USER")
    assert dedicated.run("iptables -S INPUT").count("CLAWDET-INPUT") == 1
    assert dedicated.run("systemctl is-active clawdet-guard.timer") == "active\n"


NASTY = (
    "plain",
    "$HOME ${HOME} $$ ${HOME:-x}",
    "it's",
    'say "this"',
    "back\\slash",
    "ends with \\",
    "\\'",
    "'",
    '"\\$',
    "# no comment",
    " spaces ",
    "a=b=c",
    "ünïcödé ☃",
    "",
    "\\n is no line break",
)


def test_compose_takes_values_of_the_env_file_literally(dedicated: Place) -> None:
    named = {f"VALUE_{number}": value for number, value in enumerate(NASTY)}
    lines = "".join(f"      {name}: ${{{name}-unset}}\n" for name in named)
    dedicated.run("mkdir -p /run/literal && cat > /run/literal/.env", render.env_file(named))
    dedicated.run("cat > /run/literal/compose.yaml", f"services:\n  one:\n    image: i\n    environment:\n{lines}")
    shown = json.loads(dedicated.run("cd /run/literal && docker compose config --format json && rm -r /run/literal"))
    # Compose doubles each dollar sign in what it prints, so that the output is a compose file again.
    found = {name: value.replace("$$", "$") for name, value in shown["services"]["one"]["environment"].items()}
    assert found == named
