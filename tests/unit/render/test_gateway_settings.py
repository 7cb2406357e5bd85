"""Which settings a customer's own file decides, and which the deployment: `templates/gateway/settings.mjs`."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.examples import examples
from tests.unit.render.test_bundle import PLANS, ROOT, openclaw

NODE = shutil.which("node")
SETTINGS = ROOT / "templates/gateway/settings.mjs"
PROPOSED = json.loads((ROOT / "templates/gateway/openclaw.defaults.json").read_text())
PROGRAM = f"""
import {{ overruled, settle }} from {json.dumps(SETTINGS.as_uri())};
const {{ own, before, proposed, decided }} = JSON.parse(process.argv[1]);
const settled = settle(own, {{ proposed, decided }});
const again = settle(settled, {{ proposed, decided }});
const lost = overruled(own, settled, before);
console.log(JSON.stringify({{ settled, again, lost, more: overruled(settled, again, decided) }}));
"""

pytestmark = pytest.mark.skipif(NODE is None, reason="Node.js is not on this machine")


def settle(own: Any, *, before: Any = None, plan: str = "pro") -> dict[str, Any]:
    """What becomes of a customer's own configuration, and which of its settings lost."""
    given = {"own": own, "before": before, "proposed": PROPOSED, "decided": openclaw(plan)}
    argv = [str(NODE), "--input-type=module", "--eval", PROGRAM, json.dumps(given)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    ("own", "lost"),
    [
        ({"gateway": {"auth": {"token": "x"}}}, ["gateway.auth.token"]),
        ({"gateway": {"auth": {"mode": "token", "token": "x"}}}, ["gateway.auth.token"]),
        ({"gateway": {"auth": {"mode": "trusted-proxy"}}}, ["gateway.auth.mode"]),
        ({"gateway": {"tailscale": {"mode": "serve"}}}, ["gateway.tailscale"]),
        ({"gateway": {"tls": {"enabled": True}}}, ["gateway.tls"]),
        ({"gateway": {"controlUi": {"enabled": False}}}, ["gateway.controlUi.enabled"]),
        ({"gateway": {"controlUi": {"basePath": "/x"}}}, ["gateway.controlUi.basePath"]),
        ({"gateway": {"controlUi": {"allowedOrigins": ["*"]}}}, ["gateway.controlUi.allowedOrigins"]),
        ({"gateway": {"http": {"securityHeaders": {}, "endpoints": {}}}}, ["gateway.http.securityHeaders"]),
        ({"gateway": {"a setting of a later release": 1}}, ["gateway.a setting of a later release"]),
        ({"gateway": "local"}, ["gateway"]),
        ({"plugins": {"enabled": False}}, ["plugins.enabled"]),
        ({"plugins": {"deny": ["clawdet-handoff", "other"]}}, ["plugins.deny"]),
        ({"plugins": {"entries": {" Clawdet-Handoff": {"enabled": False}}}}, ["plugins.entries. Clawdet-Handoff"]),
        ({"plugins": None}, ["plugins"]),
        ({"plugins": {"load": "x", "entries": [], "allow": "x"}}, ["plugins.load", "plugins.entries", "plugins.allow"]),
        ({"hooks": {"path": "/tools"}}, ["hooks.path"]),
        ({"mcp": {"apps": {"sandboxPort": 18789}}}, ["mcp.apps.sandboxPort"]),
        ({"env": {"OPENCLAW_X": "1", "vars": {" openclaw_x": "1"}}}, ["env.OPENCLAW_X", "env.vars. openclaw_x"]),
        ({"env": {"vars": {"INVOCATION_ID": "1"}}}, ["env.vars.INVOCATION_ID"]),
        ({"env": {"vars": {"journal_stream ": "1"}}}, ["env.vars.journal_stream "]),
        ({"env": {"SYSTEMD_EXEC_PID": "1"}}, ["env.SYSTEMD_EXEC_PID"]),
        ({"telemetry": {"enabled": True}}, ["telemetry.enabled"]),
    ],
    ids=lambda value: json.dumps(value)[:60],
)  # fmt: skip
def test_what_decides_the_way_in_is_the_deployments_and_what_lost_is_named(own: Any, lost: list[str]) -> None:
    found = settle(own)
    assert sorted(found["lost"]) == sorted(lost)
    assert found["settled"]["gateway"] == {
        **openclaw("pro")["gateway"],
        **({"http": {"endpoints": {}}} if "http" in own.get("gateway", {}) else {}),
    }
    assert found["settled"]["plugins"]["entries"]["clawdet-handoff"] == {"enabled": True}


@pytest.mark.parametrize(
    "own",
    [
        {"gateway": {"tools": {"deny": ["browser"]}, "nodes": {"commands": {"allow": ["x"]}}, "push": {"apns": {}}}},
        {"gateway": {"http": {"endpoints": {"chatCompletions": {"enabled": True}}}, "cliAgents": {"enabled": False}}},
        {"gateway": {"controlUi": {"environment": {"label": "mine", "color": "red"}}}},
        {"plugins": {"enabled": True, "allow": ["a"], "deny": ["b"], "load": {"paths": ["/x"]}, "entries": {"a": {}}}},
        {"env": {"vars": {"MY_OPENCLAW_X": "1", "INVOCATION_IDS": "1"}}},
        {"env": {"vars": {"MINE": "1"}, "shellEnv": {"enabled": True}}},
        {"hooks": {"enabled": True, "token": "x"}, "mcp": {"apps": {"enabled": True}}},
        {"agents": {"defaults": {"model": {"primary": "other/model"}}}},
        {"channels": {"$include": "./channels.json5"}, "messages": {"ackReaction": "ok"}},
    ],
    ids=lambda value: json.dumps(value)[:60],
)  # fmt: skip
def test_what_is_the_customers_stays(own: Any) -> None:
    found = settle(own)
    assert found["lost"] == []
    assert contains(found["settled"], own)
    assert found["settled"]["plugins"]["load"]["paths"][0] == "/etc/clawdet/handoff", (
        "of two with one id the first counts"
    )


def contains(whole: Any, part: Any) -> bool:
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(key in whole and contains(whole[key], one) for key, one in part.items())
    return all(one in whole for one in part) if isinstance(part, list) else bool(whole == part)


def test_a_proposal_does_not_beat_an_included_file() -> None:
    own = {"agents": {"defaults": {"$include": "./mine.json5"}}}
    assert settle(own)["settled"]["agents"] == own["agents"], "what stands beside `$include` wins over what it includes"
    assert settle({})["settled"]["agents"] == PROPOSED["agents"]


def test_what_the_deployment_decided_before_is_not_blamed_on_the_customer() -> None:
    before = {"gateway": {"publicOrigin": "https://old.example", "trustedProxies": ["10.0.0.0/8"]}}
    assert settle(before, before=before)["lost"] == []
    assert settle(before)["lost"] == ["gateway.publicOrigin", "gateway.trustedProxies"]


NAMES = st.one_of(
    st.sampled_from(["gateway", "auth", "token", "mode", "tls", "enabled", "controlUi", "basePath", "__proto__"]),
    st.sampled_from(["plugins", "deny", "allow", "entries", "load", "paths", "clawdet-handoff", "$include"]),
    st.sampled_from(["env", "vars", "OPENCLAW_X", "INVOCATION_ID", "hooks", "path", "mcp", "apps", "sandboxPort"]),
    st.sampled_from(["channels", "telegram", "agents", "defaults"]),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@given(own=st.dictionaries(NAMES, VALUES, max_size=5), plan=st.sampled_from(PLANS))
@settings(max_examples=examples(80))
def test_the_deployment_wins_over_any_file_and_changes_nothing_more_the_next_time(own: Any, plan: str) -> None:
    found = settle(own, plan=plan)
    assert contains(found["settled"], openclaw(plan))
    assert found["settled"]["plugins"]["entries"]["clawdet-handoff"] == {"enabled": True}
    paths = found["settled"]["plugins"]["load"]["paths"]
    assert paths.count("/etc/clawdet/handoff") == 1
    assert (found["again"], found["more"]) == (found["settled"], [])
