from __future__ import annotations

from typing import Any

import pytest

from policy import containers
from tests.unit.policy.world import Shown, messages, with_service

DEPLOYMENT = "user123-deployment"


def test_an_image_without_a_digest_is_stopped(resources: dict[str, Shown]) -> None:
    tagged = with_service(resources[DEPLOYMENT], "gateway", image="ghcr.io/openclaw/openclaw:2026.9.6")
    [told] = messages(containers.IMAGES, tagged)
    assert "customer user123" in told
    assert "ghcr.io/openclaw/openclaw:2026.9.6" in told
    assert "@sha256:" in told, "it says how to mend it"


def test_images_with_digests_pass(resources: dict[str, Shown]) -> None:
    assert messages(containers.IMAGES, resources[DEPLOYMENT], resources["shared-1-edge"]) == []


@pytest.mark.parametrize("size", ["1536m", "1g", 1024**3, "900000k"])
def test_too_little_memory_for_a_gateway_is_stopped(size: Any, resources: dict[str, Shown]) -> None:
    [told] = messages(containers.MEMORY, with_service(resources[DEPLOYMENT], "gateway", mem_limit=size))
    assert "under the minimum of 2048 MiB" in told
    assert "clawdet:plans" in told


def test_too_little_memory_for_a_browser_is_stopped(resources: dict[str, Shown]) -> None:
    [told] = messages(containers.MEMORY, with_service(resources["acme-deployment"], "browser", mem_limit="256m"))
    assert "service browser" in told


@pytest.mark.parametrize("size", ["2048m", "2g", "2gb", 2 * 1024**3])
def test_enough_memory_passes(size: Any, resources: dict[str, Shown]) -> None:
    assert messages(containers.MEMORY, with_service(resources[DEPLOYMENT], "gateway", mem_limit=size)) == []


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"cap_drop": None}, "cap_drop"),
        ({"cap_add": ["SYS_ADMIN"]}, "SYS_ADMIN"),
        ({"security_opt": None}, "no-new-privileges"),
        ({"read_only": False}, "read_only"),
        ({"mem_limit": None}, "mem_limit"),
        ({"cpus": None}, "cpus"),
        ({"pids_limit": 0}, "pids_limit"),
        ({"privileged": True}, "privileged"),
        ({"network_mode": "host"}, "network_mode"),
        ({"volumes": ["/var/run/docker.sock:/var/run/docker.sock"]}, "Docker"),
        ({"ports": ["8080:8080"]}, "8080"),
        ({"extends": {"file": "elsewhere.yaml", "service": "x"}}, "extends"),
    ],
)
def test_a_service_that_may_too_much_is_stopped(
    settings: dict[str, Any], word: str, resources: dict[str, Shown]
) -> None:
    told = messages(containers.HARDENING, with_service(resources[DEPLOYMENT], "gateway", **settings))
    assert any(word in one for one in told), told
    assert all("customer user123" in one and "service gateway" in one for one in told)


def test_hardened_services_pass(resources: dict[str, Shown]) -> None:
    deployments = [one for name, one in resources.items() if name.partition("@")[0].endswith(("-deployment", "-edge"))]
    assert len(deployments) == 4
    assert messages(containers.HARDENING, *deployments) == []


def test_other_commands_are_none_of_its_business(resources: dict[str, Shown]) -> None:
    assert messages(containers.HARDENING, resources["user123-health"]) == []
