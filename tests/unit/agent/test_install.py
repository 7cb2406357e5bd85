from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from clawdet_infra import remote, render
from clawdet_infra.remote import sources
from tests.unit.remote import forked
from tests.unit.remote.server import Server
from tests.unit.render.examples import PINNED, customer


def commands(server: Server) -> list[str]:
    """What systemd was asked to do since the last time that this was asked."""
    file = server.bin / "systemctl.calls"
    said = file.read_text().splitlines() if file.exists() else []
    file.unlink(missing_ok=True)
    return said


FIREWALL = ["daemon-reload", "enable --quiet clawdet-container-firewall.service"]
STARTED = ["daemon-reload", "enable --quiet clawdet-guard.timer", "restart clawdet-guard.timer"]
LOOKED = ["is-active --quiet clawdet-guard.timer"]


def test_a_deployment_brings_the_guard_and_starts_it(server: Server) -> None:
    assert server.run(server.payload()).code == 0
    assert commands(server) == FIREWALL + STARTED
    assert sorted(file.name for file in server.system.rglob("*.*")) == [
        "clawdet-container-firewall.service",
        "clawdet-guard.service",
        "clawdet-guard.timer",
        "firewall.installed",
        "guard.installed",
        "guard.pyz",
    ]


def test_a_guard_that_is_there_is_left_alone(server: Server) -> None:
    server.run(server.payload())
    before = {file: file.stat().st_mtime_ns for file in server.system.rglob("*.*")}
    commands(server)
    assert server.run(server.payload(gateway="gateway:2")).code == 0
    assert commands(server) == LOOKED
    assert {file: file.stat().st_mtime_ns for file in server.system.rglob("*.*")} == before


@pytest.mark.parametrize("name", ["lib/guard.pyz", "units/clawdet-guard.service", "units/clawdet-guard.timer"])
def test_an_older_guard_is_replaced(server: Server, name: str) -> None:
    server.run(server.payload())
    file = server.system / name
    new = file.read_bytes()
    file.write_text("an older one")
    commands(server)
    assert server.run(server.payload()).code == 0
    assert file.read_bytes() == new
    assert commands(server) == STARTED


def test_an_installation_that_was_cut_off_before_systemd_knew_of_it_is_finished(server: Server) -> None:
    systemctl = server.bin / "systemctl"
    working = systemctl.read_text()
    systemctl.write_text("#!/bin/sh\necho 'Failed to connect to bus' >&2\nexit 1\n")
    ran = server.run(server.payload())
    assert ran.code == 1
    assert ran.errors == "customer pro-1: installing the containers' firewall failed: Failed to connect to bus\n"
    systemctl.write_text(working)
    assert server.run(server.payload()).code == 0
    assert commands(server) == FIREWALL + STARTED


def test_a_timer_that_does_not_run_is_started_again(server: Server) -> None:
    server.run(server.payload())
    commands(server)
    systemctl = server.bin / "systemctl"
    systemctl.write_text(systemctl.read_text() + '[ "$1" != is-active ]\n')
    assert server.run(server.payload()).code == 0
    assert commands(server) == LOOKED + STARTED


def rules(server: Server) -> list[str]:
    """How the firewall was asked and told since the last time that this was asked."""
    file = server.bin / "iptables.calls"
    said = file.read_text().splitlines() if file.exists() else []
    file.unlink(missing_ok=True)
    # A machine without IPv6 has nothing to close there.
    return [one for one in said if not one.startswith("ip6tables")]


CLOSED = "iptables -w -A CLAWDET-FORWARD -i br-+ -d 169.254.0.0/16 -j DROP"
ASKED = ["iptables -w -C DOCKER-USER -j CLAWDET-FORWARD", "iptables -w -C INPUT -j CLAWDET-INPUT"]


def test_a_server_that_was_there_before_gets_the_firewall_before_its_containers_start(server: Server) -> None:
    assert server.run(server.payload(gateway="gateway:missing")).code == 1, "no container has started"
    assert CLOSED in rules(server)
    program = server.system / "sbin" / "clawdet-container-firewall"
    assert program.stat().st_mode & 0o777 == 0o755
    unit = server.system / "units" / "clawdet-container-firewall.service"
    assert "RequiredBy=docker.service" in unit.read_text()


def test_a_firewall_that_holds_is_left_alone(server: Server) -> None:
    server.run(server.payload())
    rules(server)
    assert server.run(server.payload(gateway="gateway:2")).code == 0
    assert rules(server) == ASKED


@pytest.mark.parametrize("name", ["sbin/clawdet-container-firewall", "units/clawdet-container-firewall.service"])
def test_an_older_firewall_is_replaced_without_a_restart_of_docker(server: Server, name: str) -> None:
    server.run(server.payload())
    file = server.system / name
    new = file.read_bytes()
    file.write_text("an older one")
    commands(server), rules(server)
    assert server.run(server.payload()).code == 0
    assert file.read_bytes() == new
    assert CLOSED in rules(server)
    assert commands(server) == FIREWALL + LOOKED, "a restart of the unit would restart Docker, which requires it"


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
    assert ran.errors == "customer pro-1: starting the containers' firewall failed: Permission denied\n"
    assert not server.running("pro-1")


def test_what_is_installed_is_a_program_that_needs_nothing_else(server: Server) -> None:
    server.run(server.payload())
    # Its own folders are those of a real server, so here it is only asked for; `test_guard.py` lets it work.
    ask = f"import sys; sys.path[:0] = [{str(server.system / 'lib/guard.pyz')!r}]; "
    ask += "from clawdet_infra.remote.guard import rounds; print(rounds.__file__, rounds.DEPLOYMENTS)"
    ran = subprocess.run([sys.executable, "-I", "-S", "-c", ask], capture_output=True, text=True, check=True)
    assert ran.stdout == f"{server.system}/lib/guard.pyz/clawdet_infra/remote/guard/rounds.py /srv/clawdet\n"


def test_the_service_runs_what_is_installed() -> None:
    one = customer("pro")
    bundle = render.bundle(one, images=PINNED, acme_email="ops@clawdet.test")
    payload = forked.unpacked(render.payload(one, bundle, ""))
    service = payload["guard_units"]["clawdet-guard.service"]
    assert f"ExecStart=/usr/bin/python3 -I {payload['guard']['program']}\n" in service


def test_texts_travel_without_comments_and_keep_their_lines() -> None:
    text = '"""What it is\nfor."""\n\nx = "# no comment"  # a comment\n\n\nclass E(Exception):\n    """Why."""\n'
    assert sources.bare(text) == '\n\n\nx = "# no comment"\n\n\nclass E(Exception):\n    ""\n'


def test_texts_travel_without_the_types_of_functions() -> None:
    head = "class A:\n    x: int = 1\n\n    "
    text = (
        head + "def f(self, a: str = 'é', *b: int, c: list[str] | None = None) -> dict[str, int]:\n        y: int = 1\n"
    )
    bare = head + "def f(self, a = 'é', *b, c = None):\n        y: int = 1\n"
    assert sources.bare(text) == bare


def test_the_texts_that_travel_are_the_same_program() -> None:
    for name in (*remote._MODULES, *(f"guard/{one}" for one in remote._GUARD)):
        whole = ast.parse((sources._FOLDER / f"{name}.py").read_text())
        for node in ast.walk(whole):
            if isinstance(node, sources._DOCUMENTED) and ast.get_docstring(node) is not None:
                node.body[:1] = ast.parse('""').body if len(node.body) == 1 else []
            if isinstance(node, ast.arg):
                node.annotation = None
            if isinstance(node, ast.FunctionDef):
                node.returns = None
        assert ast.dump(whole) == ast.dump(ast.parse(sources.source(name))), name


def test_the_payload_of_another_process_is_the_same() -> None:
    ask = "from clawdet_infra import remote; print(remote.program(guard_units={})['packed'])"
    packed = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True).stdout.strip()
    assert packed == remote.program(guard_units={})["packed"]
