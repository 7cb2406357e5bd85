"""The arguments with which a server's container is made."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from localcloud.machines.base import MachineSpec
from localcloud.machines.docker.container import (
    CAPABILITIES,
    SMALLEST_MEMORY,
    Mounts,
    allowed_capabilities,
    create_arguments,
    size_arguments,
)
from localcloud.machines.docker.names import Names

NAMES = Names("local-1a2b3c4d")
MOUNTS = Mounts(Path("/disks/7"), Path("/home/config"), Path("/home/seed"))
SPEC = MachineSpec(
    number=7,
    name="web-7",
    image="debian-13",
    user_data="#cloud-config\nssh_keys: {ed25519_private: CANARY}\n",
    ssh_keys=("ssh-ed25519 AAAA CANARY",),
    ipv4=IPv4Address("10.20.0.30"),
    ipv6=IPv6Address("fd00:0:0:7::1"),
    cores=2,
    memory_bytes=4 * 1024**3,
    disk_bytes=40 * 1024**3,
    root_password="CANARY",
)


def arguments(spec: MachineSpec = SPEC) -> list[str]:
    return create_arguments(NAMES, spec, "clawdet-server:x", MOUNTS, ("SYS_ADMIN", "NET_ADMIN"))


def test_everything_it_is_found_by_comes_from_the_cloud_and_the_number() -> None:
    made = arguments()
    assert made[0] == "create"
    assert made[-1] == "clawdet-server:x"
    assert "--name=clawdet-local-1a2b3c4d-server-7" in made
    assert "--label=clawdet.cloud=local-1a2b3c4d" in made
    assert "--network=clawdet-local-1a2b3c4d-servers" in made
    assert "--ip=10.20.0.30" in made
    assert "--hostname=web-7" in made


def test_no_secret_of_the_order_is_an_argument() -> None:
    assert not [argument for argument in arguments() if "CANARY" in argument]


def test_docker_starts_it_again_after_a_reboot_but_not_after_a_power_off() -> None:
    assert "--restart=on-failure" in arguments(), "a reboot ends init with an error, a power-off with 0"


def test_it_is_not_privileged_and_gets_only_named_capabilities() -> None:
    made = arguments()
    assert "--privileged" not in made
    assert [argument for argument in made if argument.startswith("--cap-add")] == [
        "--cap-add=SYS_ADMIN",
        "--cap-add=NET_ADMIN",
    ]


def test_without_an_ipv4_address_docker_chooses_one() -> None:
    assert not [argument for argument in arguments(replace(SPEC, ipv4=None)) if argument.startswith("--ip")]


def test_limits_stay_within_what_docker_takes() -> None:
    assert size_arguments(16, 32 * 1024**3, available_cores=2)[0] == "--cpus=2"
    assert size_arguments(1, 1, available_cores=2) == [
        "--cpus=1",
        f"--memory={SMALLEST_MEMORY}",
        f"--memory-swap={SMALLEST_MEMORY}",
    ]


def test_capabilities_that_the_machine_lacks_are_left_out() -> None:
    everything = allowed_capabilities("Name:\tx\nCapBnd:\t000001ffffffffff\n")
    without_resource = allowed_capabilities("CapBnd:\t000001fffeffffff\n")
    assert everything == CAPABILITIES
    assert set(everything) - set(without_resource) == {"SYS_RESOURCE"}, "bit 24 is not set"


def test_names_of_different_clouds_differ_everywhere() -> None:
    other = Names("test-1a2b3c4d")
    for name in ("network", "bridge", "table", "label", "builder"):
        assert getattr(NAMES, name) != getattr(other, name)
    assert len(other.bridge) <= 15, "the kernel takes no longer name of an interface"
    assert other.table.replace("_", "a").isalnum(), "nftables takes no hyphen in the name of a table"
