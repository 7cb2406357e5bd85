from __future__ import annotations

from typing import Any

import pytest
import yaml

from clawdet_infra import render
from clawdet_infra.config import AcmeAccess
from tests.unit.render.examples import BOT, PINNED, customer, layout

PLANS = ("free", "pro", "enterprise")
SECRETS = {"ANTHROPIC_API_KEY", "OPENCLAW_GATEWAY_TOKEN", "AUTH_PASSWORD", "TELEGRAM_BOT_TOKEN"}


def compose(plan: str, **changes: Any) -> dict[str, Any]:
    bundle = render.bundle(customer(plan, **changes), images=PINNED, acme_email="ops@clawdet.test")
    return yaml.safe_load(bundle.files["compose.yaml"].content)


def edge() -> dict[str, Any]:
    bundle = render.host_bundle(layout().shared_hosts[0], proxy=PINNED.proxy, acme_email="ops@clawdet.test")
    return yaml.safe_load(bundle.files["compose.yaml"].content)


def all_services() -> list[tuple[str, str, dict[str, Any]]]:
    files = {**{plan: compose(plan) for plan in PLANS}, "edge": edge()}
    return [(plan, name, service) for plan, file in files.items() for name, service in file["services"].items()]


SERVICES = all_services()
each_service = pytest.mark.parametrize(
    ("plan", "name", "service"), SERVICES, ids=[f"{plan}-{name}" for plan, name, _ in SERVICES]
)


@pytest.mark.parametrize(
    ("plan", "services"),
    [
        ("free", {"gateway", "proxy"}),
        ("pro", {"gateway", "proxy"}),
        ("enterprise", {"gateway", "proxy", "browser", "namespace"}),
    ],
)
def test_each_plan_has_its_services(plan: str, services: set[str]) -> None:
    assert set(compose(plan)["services"]) == services


@each_service
def test_every_container_is_hardened_and_bounded(plan: str, name: str, service: dict[str, Any]) -> None:
    assert service["restart"] == "unless-stopped"
    assert service["cap_drop"] == ["ALL"]
    assert set(service.get("cap_add", [])) <= {"NET_BIND_SERVICE"}
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert not service.get("privileged")
    assert service["cpus"] > 0
    assert service["pids_limit"] > 0
    assert service["mem_limit"] == service["memswap_limit"], "a container must not swap instead of restarting"
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}


@each_service
def test_every_container_that_answers_something_has_a_health_check(
    plan: str, name: str, service: dict[str, Any]
) -> None:
    if name == "namespace":
        # It only sleeps: a check could not fail, and would say nothing.
        assert "healthcheck" not in service
        return
    check = service["healthcheck"]
    assert check["test"][0] == "CMD"
    assert {"interval", "timeout", "retries", "start_period"} <= set(check)


@each_service
def test_nothing_of_the_host_but_its_own_configuration_is_mounted(
    plan: str, name: str, service: dict[str, Any]
) -> None:
    for volume in service.get("volumes", []):
        source, _, options = volume.partition(":")
        if source in ("state", "certificates", "compile-cache"):
            continue
        assert source.startswith(("./config/", "./sites", "./live")), f"{volume} is a part of the host"
        assert options.endswith(":ro"), f"{volume} can be written from inside"


@each_service
def test_every_image_is_pinned_by_digest(plan: str, name: str, service: dict[str, Any]) -> None:
    assert "@sha256:" in service["image"]


@each_service
def test_secrets_come_by_the_env_file_only_and_each_must_be_there(
    plan: str, name: str, service: dict[str, Any]
) -> None:
    for variable, value in service.get("environment", {}).items():
        if variable in SECRETS:
            assert value == f"${{{variable}:?is missing in .env}}"


@pytest.mark.parametrize("plan", PLANS)
def test_the_three_variables_are_in_every_plan_and_each_container_has_only_its_own(plan: str) -> None:
    services = compose(plan)["services"]
    secret = {name: SECRETS & set(service.get("environment", {})) for name, service in services.items()}
    assert secret["gateway"] == {"ANTHROPIC_API_KEY", "OPENCLAW_GATEWAY_TOKEN"}
    assert secret["proxy"] == {"AUTH_PASSWORD", "OPENCLAW_GATEWAY_TOKEN"}, "it hands browsers over to the gateway"
    assert not any(found for name, found in secret.items() if name not in ("gateway", "proxy"))


def test_the_limits_are_those_of_the_layout_and_the_heap_stays_below() -> None:
    gateway = compose("pro", limits={"cpus": 2, "memory": 2800, "pids": 300})["services"]["gateway"]
    assert (gateway["cpus"], gateway["mem_limit"], gateway["pids_limit"]) == (2, "2800m", 300)
    assert gateway["environment"]["NODE_OPTIONS"] == "--max-old-space-size=2100"


@pytest.mark.parametrize("plan", PLANS)
def test_the_gateway_is_published_nowhere_and_only_the_dedicated_proxy_is(plan: str) -> None:
    published = {name for name, service in compose(plan)["services"].items() if service.get("ports")}
    assert published == (set() if plan == "free" else {"proxy"})


@each_service
def test_proxies_are_published_over_ipv4_alone_and_come_first_at_a_busy_processor(
    plan: str, name: str, service: dict[str, Any]
) -> None:
    ports = ["0.0.0.0:80:80", "0.0.0.0:443:443"]
    assert service.get("ports", ports) == ports, "Docker hides the address of a caller over IPv6"
    assert service.get("cpu_shares", 1024) == (4096 if name in ("proxy", "edge") else 1024)


def test_a_tenants_gateway_is_not_on_the_network_that_the_edge_joins() -> None:
    file = compose("free")
    assert file["services"]["gateway"]["networks"] == ["default"]
    assert file["networks"]["edge"]["internal"] is True, "the proxy needs no way out"
    assert file["services"]["proxy"]["networks"]["edge"]["aliases"] == ["free-1-proxy"]


def test_the_browsers_control_port_listens_on_loopback_in_a_namespace_that_outlives_both() -> None:
    services = compose("enterprise")["services"]
    assert services["browser"]["network_mode"] == services["gateway"]["network_mode"] == "service:namespace"
    assert "--remote-debugging-address=127.0.0.1" in services["browser"]["command"]
    assert services["namespace"]["networks"]["default"]["aliases"] == ["gateway"]


def test_the_bots_token_is_asked_for_only_where_the_customer_has_one() -> None:
    assert "TELEGRAM_BOT_TOKEN" not in compose("pro")["services"]["gateway"]["environment"]
    with_bot = compose("pro", telegramBotToken=BOT)["services"]["gateway"]["environment"]
    assert with_bot["TELEGRAM_BOT_TOKEN"] == "${TELEGRAM_BOT_TOKEN:?is missing in .env}"


@pytest.mark.parametrize("plan", PLANS)
def test_the_project_and_with_it_volumes_and_networks_are_named_after_the_customer(plan: str) -> None:
    assert compose(plan)["name"] == customer(plan).slug


def test_the_acme_root_is_mounted_where_tls_ends_and_nowhere_else(tmp_path: Any) -> None:
    root = tmp_path / "root.pem"
    root.write_text("-----BEGIN CERTIFICATE-----\n")
    acme = AcmeAccess(directory="https://10.0.0.1:14000/dir", root=str(root))
    for plan in PLANS:
        files = render.bundle(customer(plan), images=PINNED, acme=acme, acme_email="a@b.test").files
        mounted = any(path.endswith("/acme-root.pem") for path in files)
        assert mounted == (plan != "free")
    host = render.host_bundle(layout().shared_hosts[0], proxy=PINNED.proxy, acme=acme, acme_email="a@b.test")
    assert any(path.endswith("/acme-root.pem") for path in host.files)
