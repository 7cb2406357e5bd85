"""Tells systemd how the service is: ready, alive, stopping (sd_notify's protocol)."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping


class SystemdNotifier:
    """Sends states to the socket that systemd names in NOTIFY_SOCKET; without one, does nothing."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        # An abstract address is written with @ in place of its NUL.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        microseconds = environment.get("WATCHDOG_USEC", "")
        mine = environment.get("WATCHDOG_PID") in (None, str(os.getpid()))
        self.watchdog_seconds = int(microseconds) / 1e6 if microseconds.isdigit() and mine else None

    def ready(self) -> None:
        """Say that the service has begun its work."""
        self._send("READY=1")

    def alive(self) -> None:
        """Say that the service works, for systemd to restart it when it has not said so for long."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """Say that the service ends."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """Say in a line what the service does, for `systemctl status`."""
        self._send(f"STATUS={' '.join(text.split())}")

    def _send(self, state: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as connection:
                connection.settimeout(1)
                connection.connect(self._address)
                connection.send(state.encode())
        except OSError:
            pass  # A manager that went away is no reason to stop looking after the fleet.
