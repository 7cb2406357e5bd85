"""Finding or starting the outer Docker, as far as no Docker is needed for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from localcloud.host import HostError, Locations, ensure_docker
from localcloud.host.docker import BRIDGES, dockerd_argv, free_bridge


def test_our_docker_shares_nothing_with_a_system_wide_one(tmp_path: Path) -> None:
    locations = Locations(tmp_path / "state", tmp_path / "run")
    argv = dockerd_argv(locations, BRIDGES[0])
    for option in ("--data-root", "--exec-root", "--pidfile", "--host", "--config-file", "--containerd-namespace"):
        assert [argument for argument in argv if argument.startswith(f"{option}=")], option
    assert f"--host=unix://{tmp_path}/run/docker.sock" in argv


def test_its_bridge_is_where_neither_the_machine_nor_a_server_s_docker_is() -> None:
    assert free_bridge([]) == "172.31.255.1/24"
    assert free_bridge(["172.31.0.0/16", "172.30.255.7"]) == "172.29.255.1/24"
    assert not [bridge for bridge in BRIDGES if bridge.startswith("172.17.")]
    with pytest.raises(HostError, match=r"172\.31\.255\.1/24"):
        free_bridge(["172.16.0.0/12"])


@pytest.mark.parametrize(
    ("host", "message"),
    [("tcp://192.0.2.1:2375", "only a unix:// socket"), ("unix:///nowhere/docker.sock", "no Docker answers there")],
)
def test_a_docker_host_that_will_not_do_is_refused(tmp_path: Path, host: str, message: str) -> None:
    with pytest.raises(HostError, match=message):
        ensure_docker(Locations(tmp_path / "state", tmp_path / "run"), {"DOCKER_HOST": host})
