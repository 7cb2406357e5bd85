from __future__ import annotations

import configparser
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from clawdet_infra.monitoring.daemon.systemd import SystemdNotifier

UNIT = Path(__file__).resolve().parents[4] / "ops" / "systemd" / "clawdet.service"


def listener(address: str) -> socket.socket:
    found = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    found.bind(address)
    found.settimeout(5)
    return found


def test_states_reach_the_socket_that_systemd_names(tmp_path: Path) -> None:
    with listener(str(tmp_path / "notify")) as heard:
        notifier = SystemdNotifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})
        notifier.ready()
        notifier.alive()
        notifier.status("round 1:\n 3 healthy")
        notifier.stopping()
        assert [heard.recv(200) for _ in range(4)] == [
            b"READY=1",
            b"WATCHDOG=1",
            b"STATUS=round 1: 3 healthy",
            b"STOPPING=1",
        ]


def test_an_abstract_socket_is_reached_too() -> None:
    name = f"clawdet-test-{os.getpid()}"
    with listener(f"\0{name}") as heard:
        SystemdNotifier({"NOTIFY_SOCKET": f"@{name}"}).ready()
        assert heard.recv(200) == b"READY=1"


def test_without_systemd_nothing_happens(tmp_path: Path) -> None:
    SystemdNotifier({}).ready()
    SystemdNotifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).alive()


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "120000000"}, 120.0),
        ({"WATCHDOG_USEC": "120000000", "WATCHDOG_PID": str(os.getpid())}, 120.0),
        ({"WATCHDOG_USEC": "120000000", "WATCHDOG_PID": "1"}, None),
    ],
)
def test_the_watchdogs_patience_is_read_where_it_is_meant_for_this_process(
    environment: dict[str, str], seconds: float | None
) -> None:
    assert SystemdNotifier(environment).watchdog_seconds == seconds


def unit() -> configparser.RawConfigParser:
    class Many(dict[str, object]):
        """Keys that come more than once are kept as lists."""

        def __setitem__(self, key: str, value: object) -> None:
            if key in self and isinstance(value, list):
                self[key].extend(value)  # type: ignore[attr-defined]
            else:
                super().__setitem__(key, value)

    found = configparser.RawConfigParser(dict_type=Many, strict=False, interpolation=None)
    found.optionxform = str  # type: ignore[assignment,method-assign]
    found.read_string(UNIT.read_text())
    return found


def test_the_unit_waits_for_the_daemon_to_say_that_it_is_ready_and_watches_it() -> None:
    service = unit()["Service"]
    assert service["Type"] == "notify"
    assert int(service["WatchdogSec"]) > 0
    assert service["Restart"] == "always"
    assert "clawdet daemon" in service["ExecStart"]
    assert "exec " in service["ExecStart"], "the shell makes way, so that the daemon itself gets the signals"


def test_the_unit_gives_the_daemon_no_rights_that_it_does_not_need() -> None:
    service = unit()["Service"]
    assert service["NoNewPrivileges"] == "yes"
    assert service["ProtectSystem"] == "strict"
    assert service["CapabilityBoundingSet"] == ""
    assert "ProtectProc" not in service, "whether another checker lives is looked up in /proc"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_finds_nothing_wrong_with_the_unit() -> None:
    done = subprocess.run(["systemd-analyze", "verify", UNIT], capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if UNIT.name in line]
    assert done.returncode == 0, done.stderr
    assert complaints == []
