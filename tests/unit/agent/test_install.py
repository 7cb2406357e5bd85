from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from clawdet_infra import render
from clawdet_infra.agent import firewall, install, names, package
from tests.unit.agent.server import Server


def commands(server: Server) -> list[str]:
    """What systemd was asked to do since the last time that this was asked."""
    file = server.bin / "systemctl.calls"
    said = file.read_text().splitlines() if file.exists() else []
    file.unlink(missing_ok=True)
    return said


INSTALLED = ["daemon-reload", "enable --quiet clawdet-container-firewall.service"]
STARTED = ["enable --quiet clawdet-guard.timer", "restart clawdet-guard.timer"]
LOOKED = ["is-active --quiet clawdet-guard.timer"]
ASKED = ["iptables -w -C DOCKER-USER -j CLAWDET-FORWARD", "iptables -w -C INPUT -j CLAWDET-INPUT"]
CLOSED = "iptables -w -A CLAWDET-FORWARD -i br-+ -d 169.254.0.0/16 -j DROP"


def installed(server: Server) -> list[Path]:
    return sorted(file for file in server.system.root.rglob("*.*") if file.is_file())


def test_a_deployment_installs_the_agent_and_starts_its_watchdog(server: Server) -> None:
    assert server.run(server.payload()).code == 0
    assert commands(server) == INSTALLED + STARTED
    assert sorted(file.name for file in installed(server)) == [
        "agent.installed",
        "agent.pyz",
        "clawdet-container-firewall.service",
        "clawdet-guard.service",
        "clawdet-guard.timer",
    ]
    assert server.system.agent.read_bytes() == server.agent.read_bytes()


def test_an_agent_that_is_there_is_left_alone(server: Server) -> None:
    server.run(server.payload())
    before = {file: file.stat().st_mtime_ns for file in installed(server)}
    commands(server), rules(server)
    assert server.run(server.payload(gateway="gateway:2")).code == 0
    assert commands(server) == LOOKED
    assert rules(server) == ASKED, "a firewall that holds is left alone"
    assert {file: file.stat().st_mtime_ns for file in installed(server)} == before


@pytest.mark.parametrize(
    "name",
    [
        "usr/local/lib/clawdet/agent.pyz",
        "etc/systemd/system/clawdet-guard.service",
        "etc/systemd/system/clawdet-guard.timer",
        "etc/systemd/system/clawdet-container-firewall.service",
    ],
)
def test_an_older_agent_is_replaced_without_a_restart_of_docker(server: Server, name: str) -> None:
    server.run(server.payload())
    file = server.system.root / name
    new = file.read_bytes()
    file.write_text("an older one")
    commands(server), rules(server)
    assert server.run(server.payload()).code == 0
    assert file.read_bytes() == new
    assert commands(server) == INSTALLED + STARTED, "a restart of the firewall's unit would restart Docker"
    assert rules(server) == ASKED, "the rules are the same"


def test_rules_of_an_older_agent_are_replaced(server: Server) -> None:
    server.run(server.payload())
    stamp = server.system.agent.with_suffix(".installed")
    assert stamp.read_text() == firewall.version()
    stamp.write_text("others")
    rules(server)
    assert server.run(server.payload()).code == 0
    assert CLOSED in rules(server)
    assert stamp.read_text() == firewall.version()


def test_an_installation_that_was_cut_off_before_systemd_knew_of_it_is_finished(server: Server) -> None:
    systemctl = server.bin / "systemctl"
    working = systemctl.read_text()
    systemctl.write_text("#!/bin/sh\necho 'Failed to connect to bus' >&2\nexit 1\n")
    ran = server.run(server.payload())
    assert ran.code == 1
    assert ran.errors == "[clawdet:deployment] customer pro-1: installing the agent failed: Failed to connect to bus\n"
    systemctl.write_text(working)
    assert server.run(server.payload()).code == 0
    assert commands(server) == INSTALLED + STARTED


def test_a_timer_that_does_not_run_is_started_again(server: Server) -> None:
    server.run(server.payload())
    commands(server)
    systemctl = server.bin / "systemctl"
    systemctl.write_text(systemctl.read_text() + '[ "$1" != is-active ]\n')
    assert server.run(server.payload()).code == 0
    assert commands(server) == LOOKED + STARTED


def test_what_older_releases_installed_is_removed(server: Server) -> None:
    older = [
        server.system.root / name
        for name in (
            "usr/local/lib/clawdet/guard.pyz",
            "usr/local/lib/clawdet/guard.installed",
            "usr/local/lib/clawdet/firewall.installed",
            "usr/local/sbin/clawdet-container-firewall",
        )
    ]
    for file in older:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    assert server.run(server.payload()).code == 0
    assert not [file for file in older if file.exists()]


def test_agents_that_were_brought_for_a_deployment_go_when_they_are_older_or_it_is_removed(server: Server) -> None:
    folder = server.system.agents
    folder.mkdir(parents=True)
    names = ["pro-1.00.pyz", "pro-1-b.00.pyz", f"{'0' * 16}.pyz", f"{'1' * 16}.pyz"]
    mine, other, old, new = (folder / name for name in names)
    for file in (mine, other, old, new):
        file.touch()
    os.utime(old, (0, 0))
    running = folder / "pro-1.11.pyz"
    shutil.copy(server.agent, running)
    assert server.run(server.payload(), render.deploy_command("", str(running))).code == 0
    assert sorted(folder.iterdir()) == sorted([running, other, new])
    assert server.remove(server.payload()).code == 0
    assert sorted(folder.iterdir()) == sorted([other, new])


def test_an_agent_that_is_not_there_is_named(server: Server) -> None:
    server.agent.unlink()
    ran = server.run(server.payload())
    assert ran.code == 69
    assert f"{server.agent} is not on this server" in ran.errors
    assert "replace the resource that copies it" in ran.errors


def rules(server: Server) -> list[str]:
    """How the firewall was asked and told since the last time that this was asked."""
    file = server.bin / "iptables.calls"
    said = file.read_text().splitlines() if file.exists() else []
    file.unlink(missing_ok=True)
    # A machine without IPv6 has nothing to close there.
    return [one for one in said if not one.startswith("ip6tables")]


def test_a_server_that_was_there_before_gets_the_firewall_before_its_containers_start(server: Server) -> None:
    assert server.run(server.payload(gateway="gateway:missing")).code == 1, "no container has started"
    assert CLOSED in rules(server)
    unit = (server.system.units / "clawdet-container-firewall.service").read_text()
    assert "Before=docker.service" in unit
    assert "RequiredBy=docker.service" in unit, "Docker must not start without it"


def test_rules_that_somebody_has_flushed_are_put_back(server: Server) -> None:
    server.run(server.payload())
    rules(server)
    iptables = server.bin / "iptables"
    iptables.write_text(iptables.read_text() + '[ "$2" != -C ]\n')
    assert server.run(server.payload()).code == 0
    assert CLOSED in rules(server)


def test_nothing_is_deployed_where_the_firewall_cannot_be_had(server: Server) -> None:
    (server.bin / "iptables").write_text("#!/bin/sh\necho 'Permission denied' >&2\nexit 4\n")
    ran = server.run(server.payload())
    assert ran.code == 1
    assert (
        ran.errors
        == "[clawdet:deployment] customer pro-1: starting the containers' firewall failed: Permission denied\n"
    )
    assert not server.running("pro-1")


def test_what_is_installed_needs_nothing_else(server: Server) -> None:
    server.run(server.payload())
    ask = f"import importlib, sys; sys.path[:0] = [{str(server.system.agent)!r}]\n"
    ask += f"for one in {package_modules()!r}: print(importlib.import_module(one).__file__)"
    # `-S` leaves nothing but Python's own library.
    ran = subprocess.run([sys.executable, "-I", "-S", "-c", ask], capture_output=True, text=True, check=True)
    assert all(line.startswith(f"{server.system.agent}/") for line in ran.stdout.splitlines())


def package_modules() -> list[str]:
    with zipfile.ZipFile(io.BytesIO(package.build().content)) as archive:
        names = [name for name in archive.namelist() if name.startswith("clawdet_infra/agent/")]
    assert "clawdet_infra/agent/watchdog/run.py" in names
    return [name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in names]


def test_systemd_runs_what_is_installed() -> None:
    built = package.build()
    for unit, subcommand in ((package.WATCHDOG_SERVICE, "watchdog"), (package.FIREWALL_UNIT, "firewall")):
        assert f"ExecStart=/usr/bin/python3 -I {names.AGENT} {subcommand}\n" in built.file(unit)
    assert str(install.System().agent) == names.AGENT
    assert str(install.System().agents) == names.AGENTS


def test_an_unknown_subcommand_is_refused(server: Server) -> None:
    ran = subprocess.run([sys.executable, "-I", server.agent, "dance"], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr.split(" ")[0]) == (64, "usage:")


def test_a_status_loads_nothing_of_deployments(server: Server) -> None:
    ask = f"import sys; sys.argv = [{str(server.agent)!r}, 'status']; import runpy\n"
    ask += f"try: runpy.run_path({str(server.agent)!r}, run_name='__main__')\nexcept SystemExit: pass\n"
    ask += "print(*sorted(one for one in sys.modules if one.startswith('clawdet_infra.agent.')), file=sys.stderr)"
    ran = subprocess.run([sys.executable, "-I", "-c", ask], capture_output=True, text=True, check=True)
    assert set(ran.stderr.split()) == {
        f"clawdet_infra.agent.{one}" for one in ("__main__", "commands", "docker", "errors", "names", "status")
    }


def test_the_agent_of_another_process_has_the_same_bytes() -> None:
    ask = "from clawdet_infra.agent import package; print(package.build().digest)"
    digest = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True).stdout.strip()
    assert digest == package.build().digest


def test_the_agent_is_put_in_its_place_at_once(tmp_path: Path) -> None:
    path = tmp_path / "it's here" / "agent.pyz"
    command = package.bring_command(str(path))
    for _ in range(2):
        subprocess.run(["sh", "-c", command], input=package.build().base64, text=True, check=True)
        assert path.read_bytes() == package.build().content
        assert list(path.parent.iterdir()) == [path]
    assert subprocess.run(["sh", "-c", command], input="no base64!", text=True, check=False).returncode != 0
    assert path.read_bytes() == package.build().content
