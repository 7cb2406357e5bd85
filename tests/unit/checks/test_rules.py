"""Each rule lets the templates' own documents pass, and stops one that breaks it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from clawdet_infra.checks import Document, Finding, duties_of, hardening_of
from clawdet_infra.checks.rules import DOCUMENT_DUTIES, HARDENING, SERVICE_DUTIES
from tests.unit.checks.examples import content, document

PLANS = ("free", "pro", "enterprise", "edge")
CHECK_TIMES = ("interval", "timeout", "retries", "start_period")
Change = Callable[[dict[str, Any]], Any]


def found(document: Document) -> list[Finding]:
    return [*duties_of(document), *hardening_of(document)]


def put(service: str, **values: Any) -> Change:
    return lambda content: content["services"][service].update(values)


def drop(service: str, key: str) -> Change:
    return lambda content: content["services"][service].pop(key)


def variable(service: str, name: str, value: str | None) -> Change:
    def change(content: dict[str, Any]) -> None:
        environment = content["services"][service]["environment"]
        environment.pop(name, None)
        if value is not None:
            environment[name] = value

    return change


def mount(service: str, entry: Any) -> Change:
    return lambda content: content["services"][service]["volumes"].append(entry)


BROKEN: list[tuple[str, str, Change]] = [
    ("variables", "gateway", variable("gateway", "ANTHROPIC_API_KEY", None)),
    ("variables", "gateway", variable("gateway", "OPENCLAW_GATEWAY_TOKEN", None)),
    ("variables", "proxy", variable("proxy", "AUTH_PASSWORD", None)),
    ("variables", "", lambda content: content["services"].pop("gateway")),
    ("secrets_from_env_file", "gateway", variable("gateway", "ANTHROPIC_API_KEY", "sk-ant-written-down")),
    ("secrets_from_env_file", "gateway", variable("gateway", "ANTHROPIC_API_KEY", "${ANTHROPIC_API_KEY}")),
    ("secrets_from_env_file", "gateway", variable("gateway", "OTHER_SECRET", "${OTHER_SECRET:-none}")),
    ("secrets_from_env_file", "gateway", put("gateway", environment=["ANTHROPIC_API_KEY=x", "OPENCLAW_GATEWAY_TOKEN"])),
    ("health_check", "gateway", drop("gateway", "healthcheck")),
    ("health_check", "proxy", put("proxy", healthcheck={"disable": True})),
    ("health_check", "proxy", put("proxy", healthcheck={"test": ["NONE"], "interval": "1s"})),
    ("health_check", "proxy", put("proxy", healthcheck={"test": ["CMD", "true"], "interval": "1s"})),
    ("restart_policy", "gateway", drop("gateway", "restart")),
    ("restart_policy", "gateway", put("gateway", restart="on-failure:3")),
    ("self_contained", "gateway", put("gateway", extends={"file": "other.yaml", "service": "gateway"})),
    ("self_contained", "gateway", put("gateway", env_file=".other")),
    ("self_contained", "gateway", put("gateway", build=".")),
    ("self_contained", "", lambda content: content.update(include=["other.yaml"])),
    ("capabilities", "gateway", drop("gateway", "cap_drop")),
    ("capabilities", "gateway", put("gateway", cap_drop=["NET_RAW"])),
    ("capabilities", "gateway", put("gateway", cap_add=["CAP_SYS_ADMIN"])),
    ("capabilities", "proxy", put("proxy", cap_add=["NET_BIND_SERVICE", "net_admin"])),
    ("privileges", "gateway", put("gateway", privileged=True)),
    ("privileges", "gateway", put("gateway", devices=["/dev/kvm"])),
    ("privileges", "gateway", drop("gateway", "security_opt")),
    ("privileges", "gateway", put("gateway", security_opt=["no-new-privileges:false"])),
    ("privileges", "gateway", put("gateway", security_opt=["no-new-privileges:true", "seccomp=unconfined"])),
    ("read_only", "gateway", drop("gateway", "read_only")),
    ("read_only", "gateway", put("gateway", read_only=False)),
    ("limits", "gateway", drop("gateway", "pids_limit")),
    ("limits", "gateway", put("gateway", pids_limit=-1)),
    ("limits", "gateway", drop("gateway", "mem_limit")),
    ("limits", "gateway", put("gateway", mem_limit="0m")),
    ("limits", "gateway", drop("gateway", "memswap_limit")),
    ("limits", "gateway", put("gateway", cpus=0)),
    ("host_namespaces", "gateway", put("gateway", network_mode="host")),
    ("host_namespaces", "gateway", put("gateway", pid="host")),
    ("host_namespaces", "gateway", put("gateway", ipc="host")),
    ("host_namespaces", "gateway", put("gateway", userns_mode="host")),
    ("docker_socket", "gateway", mount("gateway", "/var/run/docker.sock:/var/run/docker.sock:ro")),
    ("docker_socket", "gateway", mount("gateway", "/run/containerd/containerd.sock:/c.sock")),
    ("docker_socket", "gateway", put("gateway", use_api_socket=True)),
    ("mounts", "gateway", mount("gateway", "/etc:/host:ro")),
    ("mounts", "gateway", mount("gateway", "./config/../../other/.env:/env:ro")),
    ("mounts", "gateway", mount("gateway", "${HOME}:/home:ro")),
    ("mounts", "gateway", mount("gateway", "./config/abc/openclaw.json:/etc/file")),
    ("mounts", "gateway", mount("gateway", {"type": "bind", "source": "/", "target": "/host", "read_only": True})),
    ("log_limits", "gateway", drop("gateway", "logging")),
    (
        "log_limits",
        "gateway",
        put("gateway", logging={"driver": "syslog", "options": {"max-size": "1m", "max-file": 2}}),
    ),
    ("log_limits", "gateway", put("gateway", logging={"driver": "json-file", "options": {"max-size": "10m"}})),
    ("published_ports", "gateway", put("gateway", ports=["18789:18789"])),
    ("published_ports", "gateway", put("gateway", ports=["127.0.0.1:8080:443/tcp"])),
    ("published_ports", "gateway", put("gateway", ports=["443"])),
    ("published_ports", "gateway", put("gateway", ports=["80-90:80-90"])),
    ("published_ports", "proxy", put("proxy", ports=[{"target": 443, "published": "8443"}])),
    ("pinned_image", "gateway", drop("gateway", "image")),
    ("pinned_image", "gateway", put("gateway", image="ghcr.io/openclaw/openclaw")),
    ("pinned_image", "gateway", put("gateway", image="ghcr.io/openclaw/openclaw:latest")),
    ("pinned_image", "gateway", put("gateway", image="registry.example:5000/openclaw")),
    ("pinned_image", "gateway", put("gateway", image="Not an image")),
]

SOUND: list[tuple[str, Change]] = [
    ("variables", variable("gateway", "LOG_LEVEL", "info")),
    ("secrets_from_env_file", variable("gateway", "NEW_TOKEN", "${NEW_TOKEN:?is missing in .env}")),
    (
        "secrets_from_env_file",
        put("proxy", environment=[f"{name}=${{{name}:?no}}" for name in ("AUTH_PASSWORD", "OPENCLAW_GATEWAY_TOKEN")]),
    ),
    ("health_check", put("proxy", healthcheck={"test": "true"} | dict.fromkeys(CHECK_TIMES, 1))),
    ("restart_policy", put("gateway", restart="always")),
    ("self_contained", lambda content: content.update({"x-note": "text"})),
    ("capabilities", put("gateway", cap_drop=["all"], cap_add=["CAP_NET_BIND_SERVICE"])),
    ("privileges", put("gateway", security_opt=["no-new-privileges=true", "apparmor:docker-default"])),
    ("read_only", put("gateway", tmpfs=["/tmp"])),
    ("limits", put("gateway", cpus="0.5", mem_limit="2g", memswap_limit="2g", pids_limit=100)),
    ("host_namespaces", put("gateway", network_mode="service:proxy")),
    ("docker_socket", mount("gateway", "state:/docker.sock.d")),
    ("mounts", mount("gateway", {"type": "volume", "source": "state", "target": "/more"})),
    ("mounts", mount("gateway", "./config/0123456789abcdef/extra.json:/etc/extra.json:ro")),
    ("log_limits", put("gateway", logging={"driver": "local", "options": {"max-size": "1m", "max-file": "2"}})),
    ("published_ports", put("proxy", ports=["0.0.0.0:80:80/tcp", "[::]:443:443", {"target": 8443, "published": 443}])),
    ("pinned_image", put("gateway", image="openclaw@sha256:" + "4f" * 32)),
    ("pinned_image", put("gateway", image="registry.example:5000/openclaw:2026.9.6")),
]  # fmt: skip


@pytest.mark.parametrize("plan", PLANS)
def test_the_templates_own_documents_pass(plan: str) -> None:
    assert found(document(plan)) == []


@pytest.mark.parametrize(("rule", "service", "change"), BROKEN, ids=[f"{n}-{one[0]}" for n, one in enumerate(BROKEN)])
def test_a_rule_stops_what_breaks_it_and_names_service_and_remedy(rule: str, service: str, change: Change) -> None:
    broken = content()
    change(broken)
    findings = found(Document(broken))
    assert {finding.rule for finding in findings} == {rule}, "another rule speaks up, or none"
    assert {finding.service or "" for finding in findings} == {service}
    assert all(finding.message.endswith(".") and finding.hint for finding in findings)
    assert "sk-ant-written-down" not in str(findings)


@pytest.mark.parametrize(("rule", "change"), SOUND, ids=[f"{n}-{one[0]}" for n, one in enumerate(SOUND)])
def test_a_rule_lets_pass_what_keeps_to_it(rule: str, change: Change) -> None:
    sound = content()
    change(sound)
    assert found(Document(sound)) == []


def test_every_rule_has_a_document_that_it_stops_and_one_that_it_lets_pass() -> None:
    rules = {rule.__name__ for rule in (*DOCUMENT_DUTIES, *SERVICE_DUTIES, *HARDENING)}
    assert rules == {rule for rule, _, _ in BROKEN} == {rule for rule, _ in SOUND}


def test_only_a_service_that_sleeps_for_ever_needs_no_health_check() -> None:
    file = content("enterprise")
    assert "healthcheck" not in file["services"]["namespace"]
    file["services"]["namespace"]["entrypoint"] = ["node", "server.js"]
    assert [(one.rule, one.service) for one in found(Document(file))] == [("health_check", "namespace")]


def test_the_edge_proxy_needs_no_customers_secret() -> None:
    assert found(Document(content("edge"), edge=True)) == []
    assert {one.rule for one in found(Document(content("edge")))} == {"variables"}
