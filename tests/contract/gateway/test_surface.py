"""What the product uses of the gateway, the same for the stand-in and for the real one.

Each runs with the settings of the compose file that customers get. So a test that deploys the stand-in shows what the
real gateway would do, and a new release of OpenClaw that changes any of this fails here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import aiohttp
import pytest

from clawdet_infra.agent.readiness import failing, has_started, is_ready, refuses_data
from tests.contract.gateway.containers import GATEWAY, SECRETS, TOKEN, Gateway, Lab, Service

pytestmark = [pytest.mark.cloud, pytest.mark.xdist_group("gateway"), pytest.mark.timeout(900)]

WRONG = "0" * 64
TOKEN_OF_THE_FILE = "ab" * 32
FORWARDED = ("X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https")
SESSIONS = {"tool": "sessions_list", "action": "json", "args": {}}
HANDOFF = "/plugins/clawdet/handoff"
STATE = "/home/node/.openclaw"


@pytest.fixture(scope="module")
def gateway(lab: Lab, pro: Service) -> Iterator[Gateway]:
    """A gateway that tests only ask."""
    found = lab.start(pro)
    found.until("/readyz", lambda answer: answer.status == 200)
    yield found
    lab.docker.run("rm", "--force", found.name)


@pytest.fixture(scope="module")
def online_gateway(lab: Lab, gateway: Gateway, online: Service) -> Iterator[Gateway]:
    """A gateway with a Telegram channel and no way to Telegram, from a configuration in JSON5 with a token in it."""
    text = (
        "{ // A comment, single quotes and a trailing comma.\n"
        f"gateway: {{mode: 'local', bind: 'lan', auth: {{mode: 'token', token: '{TOKEN_OF_THE_FILE}'}}}},\n"
        "channels: {telegram: {enabled: true}}, models: {catalogRefresh: {enabled: false}},\n"
        "update: {checkOnStart: false}, telemetry: {enabled: false},}"
    )
    found = lab.start(online, *GATEWAY, text=text)
    yield found
    lab.docker.run("rm", "--force", found.name)


def test_the_health_check_of_the_compose_file_passes(gateway: Gateway, pro: Service) -> None:
    gateway.inside(*pro.health)


def test_it_runs_without_privileges_and_writes_its_state_only(gateway: Gateway) -> None:
    assert gateway.inside("id", "--user").strip() == "1000"
    capabilities = gateway.inside("grep", "-E", "^(CapBnd|CapEff|NoNewPrivs)", "/proc/1/status").split()
    assert capabilities == ["CapEff:", "0" * 16, "CapBnd:", "0" * 16, "NoNewPrivs:", "1"]
    script = (
        "touch x 2>/dev/null || echo read-only; stat --format '%a %U' $HOME/.openclaw/openclaw.json; pwd; echo $HOME"
    )
    assert gateway.inside("sh", "-c", script).splitlines() == ["read-only", "600 node", "/app", "/home/node"]


def test_tools_for_tests_and_for_the_health_check_are_in_the_image(gateway: Gateway) -> None:
    script = "command -v bash curl cat grep id node ps sh sleep timeout tini > /dev/null && hostname"
    assert gateway.inside("sh", "-c", script).strip() == "gateway"
    probe = "fetch('http://127.0.0.1:18789/healthz').then((answer) => answer.text()).then(console.log)"
    assert json.loads(gateway.inside("node", "-e", probe)) == {"ok": True, "status": "live"}


def test_probes_answer_json_and_anything_but_a_question_is_refused(gateway: Gateway) -> None:
    for path in ("/healthz", "/readyz", "/startupz"):
        answer = gateway.ask(path)
        assert (answer.status, answer.kind, answer.length) == (200, "application/json", str(len(answer.body))), path
        assert gateway.ask(path, method="HEAD").status == 200
        assert gateway.ask(path, method="POST").status == 405
    assert gateway.ask("/healthz").json() == {"ok": True, "status": "live"}


def test_a_caller_beside_the_gateway_gets_details(gateway: Gateway) -> None:
    ready = gateway.ask("/readyz").json()
    assert (ready["ready"], ready["failing"]) == (True, [])
    assert ready["uptimeMs"] > 0
    started = gateway.ask("/startupz").json()
    assert (started["ok"], started["status"]) == (True, "started")
    assert started["uptimeMs"] > 0
    assert started["version"]


def test_another_caller_gets_details_with_the_token_only(gateway: Gateway, neighbour: str) -> None:
    # The machine is the network's gateway, as callers over IPv6 are; the neighbor is where the proxy would be.
    for caller, headers in ((None, ()), (neighbour, FORWARDED)):
        for token in (None, WRONG):
            assert gateway.ask_from(caller, "/readyz", token=token, headers=headers).json() == {"ready": True}
            started = gateway.ask_from(caller, "/startupz", token=token, headers=headers).json()
            assert started == {"ok": True, "status": "started"}
        assert "uptimeMs" in gateway.ask_from(caller, "/readyz", token=TOKEN, headers=headers).json()


def test_only_the_proxy_may_say_for_whom_it_asks(gateway: Gateway, neighbour: str) -> None:
    for path in ("/", "/readyz", "/tools/invoke", HANDOFF):
        refused = gateway.ask_from(None, path, token=TOKEN, headers=FORWARDED)
        assert (refused.status, refused.json()["error"]["type"]) == (403, "proxy_attribution_required")
    assert gateway.ask_from(None, "/healthz", headers=FORWARDED).status == 200
    assert gateway.ask_from(neighbour, "/", headers=FORWARDED).status == 200


def test_the_proxy_has_to_say_for_whom_it_asks_and_never_for_a_local_caller(gateway: Gateway, neighbour: str) -> None:
    for headers in ((), ("X-Forwarded-For: 127.0.0.1",), ("X-Real-IP: 203.0.113.7",), ("X-Forwarded-For: nonsense",)):
        assert gateway.ask_from(neighbour, "/readyz", token=TOKEN, headers=headers).status == 403, headers
        assert gateway.ask_from(neighbour, "/healthz", headers=headers).status == 200


def test_a_probe_that_a_release_does_not_serve_would_be_told_apart(gateway: Gateway, neighbour: str) -> None:
    # A release before 2026.8.1 answers /startupz as this one answers a path that it does not know.
    for path in ("/startupx", "/api/startupz"):
        unknown = gateway.ask_from(neighbour, path, headers=FORWARDED)
        assert has_started(unknown.status, unknown.body) is None, path
    ready = gateway.ask("/readyz")
    assert is_ready(ready.status, ready.body)


def test_the_page_answers_for_unknown_paths_too(gateway: Gateway, neighbour: str) -> None:
    for path in ("/", "/anything", "/chat/main"):
        page = gateway.ask_from(neighbour, path, headers=FORWARDED)
        assert (page.status, page.kind) == (200, "text/html"), path
        assert "openclaw" in page.body.lower()
    for path in ("/assets/x.js", "/api/x"):
        assert gateway.ask(path).status == 404, path
    assert gateway.ask("/", method="POST").status == 404


def test_tools_are_called_with_the_token_only(gateway: Gateway, neighbour: str) -> None:
    for token in (None, WRONG):
        refused = gateway.ask_from(
            neighbour, "/tools/invoke", method="POST", token=token, body=SESSIONS, headers=FORWARDED
        )
        assert (refused.status, refused.kind) == (401, "application/json")
        assert refused.json() == {"error": {"message": "Unauthorized", "type": "unauthorized"}}
    answer = gateway.ask_from(neighbour, "/tools/invoke", method="POST", token=TOKEN, body=SESSIONS, headers=FORWARDED)
    assert (answer.status, answer.json()["ok"]) == (200, True)
    assert answer.json()["result"]["details"]["sessions"] == []
    unknown = gateway.ask("/tools/invoke", method="POST", token=TOKEN, body={"tool": "none"})
    assert (unknown.status, unknown.json()["ok"], unknown.json()["error"]["type"]) == (404, False, "not_found")
    assert gateway.ask("/tools/invoke", method="POST", token=TOKEN, body={}).status == 400
    assert gateway.ask("/tools/invoke", token=TOKEN).status == 405


def test_other_parts_of_the_api_open_to_nobody_without_the_token(gateway: Gateway) -> None:
    for token in (None, WRONG, TOKEN):
        assert gateway.ask("/v1/models", token=token).status == 404, "it is off unless the customer turns it on"
    for token, status in ((None, 401), (WRONG, 401), (TOKEN, 200)):
        answer = gateway.ask("/control-ui-config.json", token=token)
        assert (answer.status, answer.kind) == (status, "application/json")
    assert gateway.ask("/control-ui-config.json", token=TOKEN).json()["basePath"] == ""


def test_the_handoff_plugin_is_loaded_and_guarded_by_the_token(gateway: Gateway, neighbour: str) -> None:
    def ask(token: str | None, method: str = "GET") -> tuple[int, str]:
        answer = gateway.ask_from(neighbour, HANDOFF, method=method, token=token, headers=FORWARDED)
        return answer.status, answer.body

    assert ask(None)[0] == ask(WRONG)[0] == 401
    assert ask(TOKEN, "POST") == (405, "")
    credentials = []
    for _ in range(2):
        status, body = ask(TOKEN)
        assert (status, json.loads(body)["bootstrapProfile"]) == (200, "owner")
        credentials.append(json.loads(body)["bootstrapToken"])
    assert len(set(credentials)) == 2
    assert min(map(len, credentials)) >= 32


async def connect(
    gateway: Gateway, client: str, token: str | None, **options: str
) -> tuple[dict[str, object], int | None]:
    """Connect as a client, and return the answer and the code with which the gateway closed, if it did."""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"http://{gateway.address}:18789/", **options) as socket,
    ):
        challenge = await socket.receive_json(timeout=20)
        assert (challenge["type"], challenge["event"]) == ("event", "connect.challenge")
        assert challenge["payload"]["nonce"]
        params = {
            "minProtocol": 1,
            "maxProtocol": 99,
            "client": {
                "id": client,
                "version": "1",
                "platform": "linux",
                "mode": "webchat" if "ui" in client else "cli",
            },
            "role": "operator",
            "scopes": ["operator.read"],
            "auth": {} if token is None else {"token": token},
        }
        await socket.send_json({"type": "req", "id": "1", "method": "connect", "params": params})
        answer = await socket.receive_json(timeout=20)
        assert (answer["type"], answer["id"]) == ("res", "1")
        if answer["ok"]:
            return answer["payload"], None
        await socket.receive(timeout=20)
        return answer["error"], socket.close_code


async def test_a_websocket_is_challenged_and_needs_the_token(gateway: Gateway) -> None:
    greeting, code = await connect(gateway, "cli", TOKEN)
    assert (greeting["type"], code) == ("hello-ok", None)
    for token, reason in ((WRONG, "AUTH_TOKEN_MISMATCH"), (None, "DEVICE_IDENTITY_REQUIRED")):
        error, code = await connect(gateway, "cli", token)
        assert (error["details"]["code"], code) == (reason, 1008)


async def test_the_page_of_another_site_cannot_connect(gateway: Gateway) -> None:
    for origin, reason in (
        ("https://evil.example", "CONTROL_UI_ORIGIN_NOT_ALLOWED"),
        ("https://one.gateway.test", "CONTROL_UI_DEVICE_IDENTITY_REQUIRED"),
    ):
        error, code = await connect(gateway, "openclaw-control-ui", TOKEN, origin=origin)
        assert (error["details"]["code"], code) == (reason, 1008)


def test_the_log_names_the_gateway_and_shows_no_secret(gateway: Gateway) -> None:
    log = gateway.logs()
    assert " [gateway] " in log
    assert not [secret for secret in (TOKEN, *SECRETS.values()) if secret in log]


def test_its_data_is_in_sqlite_and_a_second_gateway_may_not_write_it(gateway: Gateway) -> None:
    script = (
        "const {DatabaseSync} = require('node:sqlite');"
        f"const one = new DatabaseSync('{STATE}/state/openclaw.sqlite', {{readOnly: true}});"
        "console.log(JSON.stringify(one.prepare('PRAGMA user_version').get()))"
    )
    assert json.loads(gateway.inside("node", "--no-warnings", "-e", script))["user_version"] > 0
    second = gateway.docker.attempt("exec", gateway.name, *GATEWAY[:-1], "18790")
    assert second.returncode == 78
    assert "another OpenClaw process owns" in second.stdout + second.stderr
    assert gateway.ask("/readyz").json()["ready"] is True


HOSTILE = f"""\ufeff{{ // Written by hand.
  $include: './more.json5',
  gateway: {{
    mode: 'remote', bind: 'loopback', port: 1, customBindHost: '127.0.0.1', publicOrigin: 'https://evil.example',
    auth: {{mode: 'none', token: '{TOKEN_OF_THE_FILE}', password: 'secret-of-the-file', rateLimit: {{maxAttempts: 1}}}},
    tailscale: {{mode: 'serve'}}, reload: {{mode: 'off'}}, trustedProxies: ['0.0.0.0/0'], allowRealIpFallback: true,
    controlUi: {{enabled: false, basePath: '/x', allowedOrigins: ['https://evil.example'], communityInvite: false}},
    remote: {{url: 'ws://127.0.0.1:1', token: '{TOKEN_OF_THE_FILE}'}},
    roles: {{default: 'guest', definitions: {{guest: {{sessions: {{others: 'none'}}, agents: '*', scopes: []}}}}}},
    nodes: {{pairing: {{autoApproveCidrs: ['0.0.0.0/0']}}, commands: {{deny: ['system.run']}}}},
    tools: {{deny: ['browser']}},
  }},
  plugins: {{
    enabled: false, deny: ['Clawdet-Handoff '], allow: ['telegram'], entries: {{'CLAWDET-HANDOFF': {{enabled: false}}}},
  }},
  hooks: {{enabled: true, token: 'token-of-the-hooks-of-this-file', path: '/tools'}},
  env: {{vars: {{OPENCLAW_GATEWAY_TOKEN: '{TOKEN_OF_THE_FILE}', OPENCLAW_GATEWAY_PASSWORD: 'x', MINE: 'kept'}}}},
  session: {{$include: './session.json5'}},
}}"""
INCLUDED = (
    "{gateway: {tls: {enabled: true}, http: {endpoints: {chatCompletions: {enabled: true}}}},\n"
    "messages: {ackReaction: 'ok'},}"
)
OVERRULED = {
    "$include",
    "gateway.mode",
    "gateway.bind",
    "gateway.port",
    "gateway.customBindHost",
    "gateway.publicOrigin",
    "gateway.auth.mode",
    "gateway.auth.token",
    "gateway.auth.password",
    "gateway.auth.rateLimit",
    "gateway.tailscale",
    "gateway.reload",
    "gateway.trustedProxies",
    "gateway.allowRealIpFallback",
    "gateway.controlUi.enabled",
    "gateway.controlUi.basePath",
    "gateway.controlUi.allowedOrigins",
    "gateway.remote",
    "gateway.roles",
    "gateway.nodes.pairing",
    "plugins.enabled",
    "plugins.deny",
    "plugins.entries.CLAWDET-HANDOFF",
    "hooks.path",
    "env.vars.OPENCLAW_GATEWAY_TOKEN",
    "env.vars.OPENCLAW_GATEWAY_PASSWORD",
}


def test_what_the_deployment_decides_wins_over_the_customers_file(lab: Lab, pro: Service, neighbour: str) -> None:
    volume = lab.volume()
    for name, text in {"more.json5": INCLUDED, "session.json5": "{scope: 'per-sender'}"}.items():
        lab.prepare(pro, volume, f"cat > {STATE}/{name}", text)
    gateway = lab.start(pro, volume=volume, text=HOSTILE)
    gateway.until("/readyz", lambda answer: answer.status == 200)

    def works() -> None:
        assert gateway.ask_from(neighbour, "/", headers=FORWARDED).status == 200
        assert gateway.ask_from(neighbour, HANDOFF, token=TOKEN, headers=FORWARDED).status == 200
        for token, status in ((TOKEN, 200), (TOKEN_OF_THE_FILE, 401), (None, 401)):
            asked = gateway.ask_from(
                neighbour, "/tools/invoke", method="POST", token=token, body=SESSIONS, headers=FORWARDED
            )
            assert asked.status == status

    works()
    config = json.loads(gateway.inside("cat", f"{STATE}/openclaw.json"))
    assert config["gateway"]["tools"] == {"deny": ["browser"]}
    assert config["gateway"]["nodes"] == {"commands": {"deny": ["system.run"]}}
    assert config["gateway"]["controlUi"]["communityInvite"] is False
    assert config["gateway"]["http"] == {"endpoints": {"chatCompletions": {"enabled": True}}}
    assert config["plugins"]["allow"] == ["telegram", "clawdet-handoff"]
    assert config["messages"] == {"ackReaction": "ok"}
    assert config["session"] == {"$include": "./session.json5"}, "it holds nothing that the deployment decides"
    assert config["env"] == {"vars": {"MINE": "kept"}}
    assert gateway.inside("cat", f"{STATE}/openclaw.json.as-written") == HOSTILE, "with its comments"
    report = gateway.inside("cat", f"{STATE}/clawdet-settings.json")
    assert set(json.loads(report)["overruled"]) == OVERRULED
    log = gateway.logs()
    for path in OVERRULED:
        assert log.count(f"{path} is decided by the deployment") >= 2, "by the deployment, and in the gateway's own log"
    for text in (report, log):
        assert not [secret for secret in (TOKEN_OF_THE_FILE, "secret-of-the-file", "of-the-hooks") if secret in text]

    lab.docker.run("restart", gateway.name)
    gateway.started()
    works()
    assert set(json.loads(gateway.inside("cat", f"{STATE}/clawdet-settings.json"))["overruled"]) == OVERRULED
    lab.docker.run("rm", "--force", gateway.name)


VARIABLES = f"""# Mine.
INVOCATION_ID=abc
JOURNAL_STREAM=8:1
export OPENCLAW_SYSTEMD_UNIT="openclaw.service"
OPENCLAW_SERVICE_MANAGED_ENV_KEYS=OPENCLAW_GATEWAY_TOKEN
OPENCLAW_GATEWAY_TOKEN={TOKEN_OF_THE_FILE}
 openclaw_gateway_password: 'secret-of-the-file'
OPENCLAW_CONFIG_PATH=/nowhere
OPENCLAW_HANDSHAKE_TIMEOUT_MS=1

MINE="two
lines" # Kept.
"""
DROPPED = [
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "OPENCLAW_SYSTEMD_UNIT",
    "OPENCLAW_SERVICE_MANAGED_ENV_KEYS",
    "OPENCLAW_GATEWAY_TOKEN",
    "openclaw_gateway_password",
    "OPENCLAW_CONFIG_PATH",
    "OPENCLAW_HANDSHAKE_TIMEOUT_MS",
]


async def test_what_the_deployment_decides_wins_over_the_customers_variables(lab: Lab, pro: Service) -> None:
    volume = lab.volume()
    lab.prepare(pro, volume, f"cat > {STATE}/.env", VARIABLES)
    gateway = lab.start(pro, volume=volume)
    for token, status in ((TOKEN, 200), (TOKEN_OF_THE_FILE, 401)):
        assert gateway.ask("/tools/invoke", method="POST", token=token, body=SESSIONS).status == status
    greeting, _ = await connect(gateway, "cli", TOKEN)
    assert greeting["type"] == "hello-ok"
    assert gateway.inside("cat", f"{STATE}/.env") == '# Mine.\n\nMINE="two\nlines" # Kept.\n'
    assert gateway.inside("cat", f"{STATE}/.env.as-written") == VARIABLES
    report, log = gateway.inside("cat", f"{STATE}/clawdet-settings.json"), gateway.logs()
    assert json.loads(report)["overruled"] == [f".env: {name}" for name in DROPPED]
    for name in DROPPED:
        assert log.count(f".env: {name} is decided by the deployment") >= 2, "and in the gateway's own log"
    assert not [secret for secret in (TOKEN_OF_THE_FILE, "secret-of-the-file", "openclaw.service") if secret in log]
    lab.docker.run("rm", "--force", gateway.name)


def test_a_customers_variables_could_take_over_the_gateway(lab: Lab, pro: Service) -> None:
    config = "{gateway: {mode: 'local', bind: 'lan'}, update: {checkOnStart: false}, telemetry: {enabled: false}}"
    volume = lab.volume()
    lab.prepare(pro, volume, f"cat > {STATE}/.env", VARIABLES.replace("OPENCLAW_CONFIG_PATH", "X"))
    as_it_was = ("env", "--unset=OPENCLAW_SERVICE_MANAGED_ENV_KEYS", *GATEWAY)
    for command, accepted in ((as_it_was, TOKEN_OF_THE_FILE), (GATEWAY, TOKEN)):
        gateway = lab.start(pro, *command, volume=volume, text=config)
        for token in (TOKEN, TOKEN_OF_THE_FILE):
            asked = gateway.ask("/tools/invoke", method="POST", token=token, body=SESSIONS)
            assert (asked.status == 200) is (token == accepted), (
                "the container's variable stops it, and so does the merge"
            )
        lab.docker.run("rm", "--force", gateway.name)


IMPOSTOR = """
mkdir "$OPENCLAW_STATE_DIR/impostor" && cd "$OPENCLAW_STATE_DIR/impostor" || exit 1
cp /etc/clawdet/handoff/openclaw.plugin.json .
echo 'import { definePluginEntry } from "openclaw/plugin-sdk/plugin-entry";
export default definePluginEntry({id: "clawdet-handoff", name: "x", description: "x", register() {}});' > index.mjs
"""


def test_no_other_plugin_takes_the_place_of_the_deployments(lab: Lab, pro: Service) -> None:
    volume = lab.volume()
    lab.prepare(pro, volume, IMPOSTOR)
    gateway = lab.start(pro, volume=volume, text=f"{{plugins: {{load: {{paths: ['{STATE}/impostor']}}}}}}")
    assert gateway.ask(HANDOFF, token=TOKEN).status == 200
    lab.docker.run("rm", "--force", gateway.name)


BACKUP = f"""{{"meta": {{"lastTouchedVersion": "1"}}, "gateway": {{"mode": "local", "auth": {{"mode": "token",
 "token": "{TOKEN_OF_THE_FILE}"}}, "controlUi": {{"enabled": false}}}}, "update": {{"checkOnStart": false}},
 "telemetry": {{"enabled": false}}, "models": {{"catalogRefresh": {{"enabled": false}}}}}}"""


def test_a_backup_of_the_configuration_decides_nothing(lab: Lab, pro: Service) -> None:
    alone = "{gateway: {mode: 'local', bind: 'lan'}, update: {checkOnStart: false}, telemetry: {enabled: false}}"
    accepted = {}
    for command in (GATEWAY, ()):
        volume = lab.volume()
        lab.prepare(pro, volume, f"cat > {STATE}/openclaw.json.bak", BACKUP)
        gateway = lab.start(pro, *command, volume=volume, text=alone)
        tokens = {TOKEN, TOKEN_OF_THE_FILE}
        accepted[command] = {
            token
            for token in tokens
            if gateway.ask("/tools/invoke", method="POST", token=token, body=SESSIONS).status == 200
        }
        lab.docker.run("rm", "--force", gateway.name)
    assert accepted == {GATEWAY: {TOKEN_OF_THE_FILE}, (): {TOKEN}}, "the gateway restores it, if it finds it"


ODD_FILES = {
    "lists too deep": "head -c 20000 /dev/zero | tr '\\0' '[' > openclaw.json",
    "objects too deep": "node -e 'console.log(`{a:`.repeat(5000) + 1 + `}`.repeat(5000))' > openclaw.json",
    "a folder in the way": "mkdir -p openclaw.json.new/x clawdet-settings.json.new/x",
    "a pipe": "rm -f openclaw.json; mkfifo openclaw.json",
    "pipes beside it": (
        "rm -f clawdet-settings.json; mkfifo pipe clawdet-settings.json openclaw.json.as-written .env;"
        " echo '{$include: \"./pipe\", gateway: {}}' > openclaw.json"
    ),
    "a file that includes itself": (
        "echo '{env: {$include: [\"./i\"]}}' > openclaw.json;"
        " node -e 'console.log(JSON.stringify({$include: Array(9).fill(\"./i\")}))' > i"
    ),
    "included files of many levels": (
        "echo '{env: {$include: \"./i0\"}}' > openclaw.json; for i in $(seq 0 59); do"
        " node -e 'let one = {$include: `./i${+process.argv[1] + 1}`}; for (let i = 0; i < 90; i++) one = {a: one};"
        " console.log(JSON.stringify(one))' $i > i$i; done"
    ),
    "a file too large": "truncate --size=300M openclaw.json .env",
    "a folder": "rm -f openclaw.json; mkdir openclaw.json .env",
    "links away": "ln -sf /proc/self/environ openclaw.json; ln -s /proc/self/environ .env",
    "folders in the way that nobody may read": (
        "mkdir -p openclaw.json.new/x/y openclaw.json.bak/x/y; touch openclaw.json.bak.as-written;"
        " chmod 0 openclaw.json.new/x openclaw.json.bak/x"
    ),
    "a folder that nobody may write to": "chmod 500 .",
    "variables that cannot be told apart": "printf 'OPENCLAW_X\n=1\n' > .env",
}


def test_files_that_could_not_be_written_stay_the_customers(lab: Lab, pro: Service) -> None:
    lab.prepare(
        pro,
        lab.volume(),
        """
        set -e
        cd "$OPENCLAW_STATE_DIR"
        echo '{gateway: {port: 1}, messages: {}}' > openclaw.json
        echo OPENCLAW_X=1 > .env
        # As a full disk would.
        (ulimit -f 0; trap '' XFSZ; cd /app; ! node /etc/clawdet/merge-config.mjs)
        grep -q port openclaw.json
        grep -q OPENCLAW_X .env
        """,
    )


@pytest.mark.parametrize("script", ODD_FILES.values(), ids=ODD_FILES)
def test_whatever_the_customer_wrote_the_deployments_configuration_is_ready_soon(
    lab: Lab, pro: Service, script: str
) -> None:
    lab.prepare(
        pro,
        lab.volume(),
        f"""
        set -e
        cd "$OPENCLAW_STATE_DIR"
        {script}
        (cd /app && timeout 20 node /etc/clawdet/merge-config.mjs)
        grep -q '"mode": "local"' openclaw.json
        grep -q clawdet-handoff openclaw.json
        test ! -e .env
        """,
    )


def test_a_file_with_comments_is_kept_as_it_is_once_it_agrees_with_the_deployment(lab: Lab, pro: Service) -> None:
    lab.prepare(
        pro,
        lab.volume(),
        """
        set -e
        cd "$OPENCLAW_STATE_DIR"
        merge() { (cd /app && node /etc/clawdet/merge-config.mjs); }
        merge
        { printf '\\357\\273\\277// Mine.\\n'; cat openclaw.json; } > mine
        cp mine openclaw.json
        merge
        cmp mine openclaw.json
        """,
    )


@pytest.mark.parametrize(
    ("gateway_settings", "words"),
    [
        pytest.param("tailscale: {mode: 'serve'}", "tailscale", id="Tailscale"),
        pytest.param("auth: {mode: 'none'}", "auth", id="no authentication"),
    ],
)
def test_settings_that_the_deployment_decides_could_keep_it_from_starting(
    lab: Lab, pro: Service, gateway_settings: str, words: str
) -> None:
    done = lab.refuse(pro, *GATEWAY, text=f"{{gateway: {{mode: 'local', {gateway_settings}}}}}")
    assert done.returncode == 78, done.stdout + done.stderr
    assert words in (done.stdout + done.stderr).lower()


def test_settings_that_the_deployment_decides_could_end_service(lab: Lab, pro: Service) -> None:
    plugins = (
        "plugins: {load: {paths: ['/etc/clawdet/handoff']}, deny: ['Clawdet-Handoff '], "
        "entries: {'clawdet-handoff': {enabled: true}}}"
    )
    text = (
        "{gateway: {mode: 'local', bind: 'lan', controlUi: {enabled: false}}, update: {checkOnStart: false}, "
        "models: {catalogRefresh: {enabled: false}}, telemetry: {enabled: false}, "
        f"hooks: {{enabled: true, token: 'token-of-the-hooks-of-this-file', path: '/tools'}}, {plugins}}}"
    )
    gateway = lab.start(pro, *GATEWAY, text=text)
    assert gateway.ask("/").status == 404
    assert gateway.ask(HANDOFF, token=TOKEN).status == 404
    assert gateway.ask("/tools/invoke", method="POST", token=TOKEN, body=SESSIONS).status != 200
    lab.docker.run("rm", "--force", gateway.name)


def test_the_token_in_the_configuration_beats_the_environments(online_gateway: Gateway) -> None:
    for token, status in ((TOKEN, 401), (TOKEN_OF_THE_FILE, 200)):
        assert online_gateway.ask("/tools/invoke", method="POST", token=token, body=SESSIONS).status == status


def test_a_channel_that_cannot_reach_its_service_makes_it_not_ready(online_gateway: Gateway, neighbour: str) -> None:
    # The real gateway gives a channel two minutes after each start.
    answer = online_gateway.until("/readyz", lambda answer: answer.status == 503, seconds=240)
    assert (answer.json()["ready"], answer.json()["failing"]) == (False, ["telegram"])
    assert (failing(answer.body), refuses_data(answer.body)) == (["telegram"], False)
    outside = online_gateway.ask_from(neighbour, "/readyz")
    assert (outside.status, outside.json()) == (503, {"ready": False})
    told = online_gateway.ask_from(neighbour, "/readyz", token=TOKEN_OF_THE_FILE)
    assert (told.status, failing(told.body)) == (503, ["telegram"]), "whoever has the token is told which"
    assert online_gateway.ask("/healthz").json() == {"ok": True, "status": "live"}
    started = online_gateway.ask_from(neighbour, "/startupz")
    assert (started.status, started.json()) == (200, {"ok": True, "status": "started"})
    assert has_started(started.status, started.body) is True


def test_a_gateway_that_was_killed_takes_its_data_over_at_once_and_ends_well_when_asked(
    online_gateway: Gateway,
) -> None:
    docker, name = online_gateway.docker, online_gateway.name
    online_gateway.inside("sh", "-c", f"echo precious > {STATE}/kept")
    docker.run("kill", "--signal=KILL", name)
    docker.run("start", name)
    online_gateway.started()
    assert online_gateway.inside("cat", f"{STATE}/kept") == "precious\n"
    restarts, code = "{{.RestartCount}}", "{{.State.ExitCode}}"
    assert docker.run("inspect", "--format", restarts, name).strip() == "0", "it refused to start at first"
    docker.run("stop", name)
    assert docker.run("inspect", "--format", code, name).strip() == "0"
    docker.run("start", name)
    online_gateway.started()


def test_a_configuration_that_the_gateway_refuses_stops_it_once(lab: Lab, pro: Service) -> None:
    volume = lab.volume()
    gateway = lab.start(pro, volume=volume, text="{messages: {ackReaction: 'ok'}}")
    mistakes = "bogusKey: 1, session: {$include: './missing.json5'}"
    for text, kept in ((f"{{messages: {{}}, {mistakes}}}", True), (f"{{gateway: {{}}, {mistakes}}}", False)):
        gateway.inside("sh", "-c", f"cat > {STATE}/openclaw.json", text=text)
        if not kept:
            gateway.inside("sh", "-c", f"echo '{{bogusKey: 1}}' > {STATE}/clawdet-started.json")
        gateway.docker.run("restart", gateway.name)
        gateway.until("/startupz", lambda answer: answer.json()["ok"] is True)
        assert ("ackReaction" in gateway.inside("cat", f"{STATE}/openclaw.json")) is kept
        assert "was put aside" in gateway.logs()
        found = gateway.inside("sh", "-c", f"cat {STATE}/openclaw.json.unreadable-*")
        assert "missing.json5" in found, "nothing of it is lost"
    lab.docker.run("rm", "--force", gateway.name)


@pytest.mark.parametrize(
    ("text", "command", "words"),
    [
        pytest.param('{"bogusKey": 1}', (), 'Unrecognized key: "bogusKey"', id="an unknown key"),
        pytest.param("", GATEWAY, "Missing config", id="no configuration"),
        pytest.param("{ nonsense", GATEWAY, "existing config is missing gateway.mode", id="not JSON"),
    ],
)
def test_it_refuses_a_configuration(lab: Lab, pro: Service, text: str, command: tuple[str, ...], words: str) -> None:
    done = lab.refuse(pro, *command, text=text)
    assert done.returncode == 78, done.stdout + done.stderr
    assert words in done.stdout + done.stderr


def test_it_refuses_to_listen_without_a_token(lab: Lab, pro: Service) -> None:
    done = lab.refuse(pro, without=["OPENCLAW_GATEWAY_TOKEN"])
    assert done.returncode == 78, "a gateway that anybody may use must not start"
    assert "Refusing to bind gateway to lan without auth" in done.stdout + done.stderr


def test_it_refuses_data_of_a_later_release(lab: Lab, pro: Service) -> None:
    volume = lab.volume()
    script = (
        "const {DatabaseSync} = require('node:sqlite'), folder = process.env.OPENCLAW_STATE_DIR + '/state';"
        "require('node:fs').mkdirSync(folder, {mode: 0o700});"
        "const one = new DatabaseSync(folder + '/openclaw.sqlite');"
        "one.exec('CREATE TABLE later (id INTEGER); PRAGMA user_version = 9999')"
    )
    lab.prepare(pro, volume, f'node --no-warnings -e "{script}"')
    done = lab.refuse(pro, volume=volume)
    assert done.returncode == 78, done.stdout + done.stderr
    assert "newer than this build" in done.stdout + done.stderr
