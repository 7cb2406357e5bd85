from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from clawdet_infra import render
from clawdet_infra.config import Release
from tests.unit.render.examples import BOT, PINNED, customer, layout

ROOT = Path(__file__).resolve().parents[3]
PLANS = ("free", "pro", "enterprise")


def bundle(plan: str, *, offline: bool = False, images: Release = PINNED, **changes: Any) -> render.Bundle:
    return render.bundle(customer(plan, **changes), images=images, acme_email="ops@clawdet.test", offline=offline)


def file(bundle: render.Bundle, name: str) -> str:
    return next(file.content for path, file in bundle.files.items() if path.rpartition("/")[2] == name)


def openclaw(plan: str, **options: Any) -> dict[str, Any]:
    return json.loads(file(bundle(plan, **options), "openclaw.json"))


@pytest.mark.parametrize("plan", PLANS)
def test_every_file_that_compose_mounts_is_in_the_bundle(plan: str) -> None:
    files = bundle(plan).files
    services = yaml.safe_load(files["compose.yaml"].content)["services"]
    mounted = {
        volume.split(":")[0].removeprefix("./")
        for service in services.values()
        for volume in service.get("volumes", [])
        if volume.startswith("./")
    }
    read_elsewhere = {path for path in files if path.endswith("/Caddyfile")}
    assert len(read_elsewhere) == 1, "the deployment copies it to `live`"
    assert mounted - {"live"} == set(files) - {"compose.yaml"} - read_elsewhere
    assert "live" in mounted


@pytest.mark.parametrize("plan", PLANS)
def test_a_bundle_holds_no_secret(plan: str) -> None:
    secrets = ["sk-ant-", BOT, BOT.partition(":")[2]]
    text = json.dumps({path: file.content for path, file in bundle(plan, telegramBotToken=BOT).files.items()})
    assert not [secret for secret in secrets if secret in text]


def test_the_digest_is_the_same_in_another_process() -> None:
    program = (
        "from tests.unit.render.test_bundle import bundle, PLANS\nprint(*(bundle(plan).digest for plan in PLANS))\n"
    )
    others = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()[0]
        for seed in ("1", "2")
    }
    assert others == {bundle("free").digest}


@pytest.mark.parametrize(
    "change",
    [
        {"limits": {"memory": 2800}},
        {"telegramBotToken": BOT},
        {"subdomain": "other"},
    ],
    ids=["limits", "bot", "name"],
)
def test_the_digest_changes_with_what_is_deployed(change: dict[str, Any]) -> None:
    assert bundle("pro", **change).digest != bundle("pro").digest


def test_the_digest_does_not_change_with_a_rotated_token() -> None:
    assert bundle("pro", tokenVersion=2).digest == bundle("pro").digest


def test_another_gateway_image_changes_no_file_that_the_proxy_mounts() -> None:
    other = PINNED.model_copy(update={"gateway": "ghcr.io/openclaw/openclaw@sha256:" + "00" * 32})
    before, after = bundle("pro"), bundle("pro", images=other)
    assert set(before.files) == set(after.files), "the proxy would be made anew, and its connections cut"
    services = [yaml.safe_load(one.files["compose.yaml"].content)["services"] for one in (before, after)]
    assert services[0]["proxy"] == services[1]["proxy"]


def test_another_caddyfile_makes_no_container_anew() -> None:
    one, other = (
        render.bundle(customer("pro"), images=PINNED, acme_email=f"{who}@clawdet.test") for who in ("ops", "it")
    )
    assert file(one, "Caddyfile") != file(other, "Caddyfile")
    assert one.files["compose.yaml"] == other.files["compose.yaml"], "its connections would be cut"


@pytest.mark.parametrize("plan", PLANS)
def test_what_an_image_compiled_is_read_by_no_other_image_and_no_other_customer(plan: str) -> None:
    other = PINNED.model_copy(update={"gateway": "ghcr.io/openclaw/openclaw@sha256:" + "00" * 32})
    names = []
    for one in (bundle(plan), bundle(plan, images=other)):
        volume = yaml.safe_load(one.files["compose.yaml"].content)["volumes"]["compile-cache"]
        assert volume["name"] == f"{customer(plan).slug}_{one.compile_cache}"
        names.append(volume["name"])
    assert len(set(names)) == 2


def services_line(one: render.Bundle, plan: str) -> dict[str, str]:
    lines = dict(line.split(": ", 1) for line in render.summary(customer(plan), one).splitlines())
    return dict(entry.split(" ") for entry in lines["services"].split(", "))


def test_another_gateway_image_is_told_as_that_and_not_as_another_template() -> None:
    other = PINNED.model_copy(update={"gateway": "ghcr.io/openclaw/openclaw@sha256:" + "00" * 32})
    files = [
        next(line for line in render.summary(customer("pro"), one).splitlines() if line.startswith("files: "))
        for one in (bundle("pro"), bundle("pro", images=other))
    ]
    assert files[0] == files[1]


@pytest.mark.parametrize(
    ("change", "plan", "again"),
    [
        ({"limits": {"pids": 300}}, "pro", {"gateway"}),
        ({"subdomain": "other"}, "pro", {"gateway"}),
        ({"images": PINNED.model_copy(update={"gateway": "a/b@sha256:" + "00" * 32})}, "pro", {"gateway"}),
        ({"images": PINNED.model_copy(update={"proxy": "a/b@sha256:" + "00" * 32})}, "pro", {"proxy"}),
        (
            {"images": PINNED.model_copy(update={"proxy": "a/b@sha256:" + "00" * 32})},
            "enterprise",
            {"proxy", "namespace", "gateway", "browser"},
        ),
    ],
    ids=["limits", "name", "gateway", "proxy", "proxy of enterprise"],
)
def test_the_summary_says_which_containers_are_made_anew(change: dict[str, Any], plan: str, again: set[str]) -> None:
    before, after = services_line(bundle(plan), plan), services_line(bundle(plan, **change), plan)
    assert set(before) == set(yaml.safe_load(bundle(plan).files["compose.yaml"].content)["services"])
    assert {name for name in after if after[name] != before[name]} == again


@pytest.mark.parametrize("plan", PLANS)
def test_the_gateway_takes_browsers_from_the_customers_address_only(plan: str) -> None:
    config = openclaw(plan)["gateway"]
    assert config["controlUi"]["allowedOrigins"] == [customer(plan).url]
    assert config["auth"] == {"mode": "token"}, "the token itself comes by the environment"
    assert "trustedProxies" not in config, "merge-config.mjs writes the network that the container is really on"


def test_only_enterprise_has_a_browser_configured() -> None:
    assert "browser" not in openclaw("pro")
    profile = openclaw("enterprise")["browser"]["profiles"]["cloud"]
    assert profile == {"cdpUrl": "http://127.0.0.1:9222", "attachOnly": True}


def test_a_server_without_a_way_out_gets_a_gateway_that_does_not_look_for_one() -> None:
    config = openclaw("pro", offline=True, telegramBotToken=BOT)
    assert config["models"]["catalogRefresh"]["enabled"] is False
    assert config["channels"]["telegram"]["enabled"] is False
    online = openclaw("pro", telegramBotToken=BOT)
    assert "models" not in online
    assert online["channels"]["telegram"]["enabled"] is True
    for one in (config, online):
        assert one["update"]["checkOnStart"] is False
        assert one["telemetry"]["enabled"] is False


def test_the_summary_shows_what_a_reviewer_asks_for() -> None:
    one = customer("enterprise", telegramBotToken=BOT)
    lines = render.summary(one, bundle("enterprise")).splitlines()
    assert lines[:5] == [
        "customer: big.one",
        "plan: enterprise",
        "url: https://big.one.clawdet.test",
        "gateway: 2 cpus, 4096 MiB, 1024 processes",
        "browser: 1.5 cpus, 2048 MiB, 512 processes",
    ]
    assert f"gateway image: {PINNED.gateway}" in lines
    host = layout().shared_hosts[0]
    edge = render.host_bundle(host, proxy=PINNED.proxy, acme_email="a@b.test")
    assert render.host_summary(host, edge).splitlines()[0] == "shared host: shared-1"


def test_the_command_is_a_comment_and_shell() -> None:
    command = render.deploy_command("customer: pro-1\nplan: pro", "/x/agent.pyz")
    assert command.splitlines()[:2] == ["# customer: pro-1", "# plan: pro"]
    assert command.splitlines()[3:] == ["exec python3 -I /x/agent.pyz deploy"]
    check = subprocess.run(["sh", "-n"], input=f"{command}\n{render.remove_command()}\n", text=True, check=False)
    assert check.returncode == 0


def test_a_payload_stays_small_enough_to_be_kept_in_the_state_for_each_customer() -> None:
    one = customer("enterprise")
    secrets = render.environment(one.customer, gateway_token="a1" * 32, auth_password="b2" * 8)
    assert len(render.payload(one, bundle("enterprise"), secrets)) < 7_000
