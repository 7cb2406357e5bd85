"""A checker that runs beside a test, and the receivers that its alerts go to."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml

from tests.contract.alerts.receivers import Mail, Web
from tests.support.stack import Stack

Found = TypeVar("Found")

OPERATIONS: dict[str, Any] = {
    "interval": "3s",
    # A second probe within a round is off, so that rounds can be counted.  The limits leave room for a busy machine.
    "checks": {"requestTimeout": "6s", "probeTimeout": "9s", "confirm": False, "hostTimeout": "10s", "jitter": "100ms"},
    "remediation": {"failureThreshold": 2, "cooldown": "1s", "recoveryTimeout": "2m"},
    "alerts": {"failureThreshold": 2, "maxDelayFailures": 2, "successThreshold": 2},
}


class Receivers:
    """A web server and a mail server in a thread of their own; `notices` has what arrived, oldest first."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.web, self.mail = self._do(self._start())

    def urls(self) -> str:
        return f"{self.web.url()} {self.mail.url()}"

    @property
    def posted(self) -> list[str]:
        """The titles and bodies that the web server took."""
        return [f"{body['title']}\n{body['message']}" for _, body in self.web.taken]

    @property
    def mailed(self) -> list[str]:
        """The subjects and bodies that the mail server took."""
        return [f"{one['subject']}\n{one.get_body(('plain', 'html')).get_content()}" for one in self.mail.taken]

    def close(self) -> None:
        self._do(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _start(self) -> tuple[Web, Mail]:
        web, mail = Web(), Mail()
        await web.start()
        await mail.start()
        return web, mail

    async def _stop(self) -> None:
        await self.web.stop()
        await self.mail.stop()


class Watch:
    """`clawdet daemon` on a stack, with a history and alerts of its own; its rounds are read from its log."""

    def __init__(self, stack: Stack, folder: Path, receivers: Receivers, **operations: Any) -> None:
        self.stack = stack
        self.folder = folder
        self.receivers = receivers
        self.log = folder / "daemon.log"
        file = folder / "operations.yaml"
        file.write_text(yaml.safe_dump({**OPERATIONS, **operations}))
        self.env = {
            **stack.env,
            "CLAWDET_HISTORY": f"sqlite:///{folder}/history.db",
            "CLAWDET_OPERATIONS": str(file),
            "CLAWDET_ALERT_URLS": receivers.urls(),
            "CLAWDET_HEARTBEAT_URL": f"http://127.0.0.1:{receivers.web.port}/alive",
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Watch:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                # A run of the tests that is killed must not leave it running.
                ["setpriv", "--pdeathsig", "KILL", "clawdet", "daemon", "--json", "--stack", self.stack.name],
                cwd=self.stack.folder,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        return self

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it with a signal and return its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(60)

    def ask(self, *command: str) -> Any:
        """What a command of clawdet says as JSON, of the same history."""
        done = subprocess.run(
            ["clawdet", *command, "--json"],
            cwd=self.stack.folder,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def lines(self) -> list[dict[str, Any]]:
        text = self.log.read_text() if self.log.exists() else ""
        return [json.loads(line) for line in text.splitlines() if line.startswith("{") and line.endswith("}")]

    def rounds(self) -> list[dict[str, Any]]:
        """What was seen and decided in each round so far."""
        return [line for line in self.lines() if "cycle" in line and "conditions" in line]

    def until(
        self, seen: Callable[[list[dict[str, Any]]], Found], *, seconds: float, what: str, after: int = 0
    ) -> Found:
        """Wait until something is true of the rounds after the first `after`, and return it."""
        end = time.monotonic() + seconds
        while True:
            assert self.process is not None
            assert self.process.poll() is None, f"it ended:\n{self.log.read_text()}"
            if found := seen(self.rounds()[after:]):
                return found
            assert time.monotonic() < end, f"after {seconds} s still not: {what}\n{self.log.read_text()[-6000:]}"
            time.sleep(0.3)

    def until_healthy(self, identity: str, *, after: int = 0, rounds: int = 2, seconds: float = 240) -> None:
        """Wait until an instance was found healthy in so many rounds in a row."""

        def healthy(seen: list[Mapping[str, Any]]) -> bool:
            last = [one["conditions"].get(identity) for one in seen[-rounds:]]
            return len(last) == rounds and all(one in ("healthy", "slow") for one in last)

        self.until(healthy, seconds=seconds, what=f"{identity} is healthy", after=after)

    def events(self, identity: str, kind: str) -> list[dict[str, Any]]:
        return [one for one in self.ask("history", identity)["events"] if one["kind"] == kind]
