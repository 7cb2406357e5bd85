"""The stages of a customer's deployment, from the engine's events and from looking at the server from outside."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from clawdet_infra.engine import events
from clawdet_infra.engine.output import LONGEST, reason
from clawdet_infra.redaction import Redactor
from clawdet_infra.resources import EDGE_ENDING, LOCAL_COMMAND, RECORD_SET, REMOTE_COMMAND, SERVER

Stage = Literal["queued", "server", "DNS", "SSH", "deployment", "TLS", "healthy", "probed", "removed"]
_KINDS: Mapping[str, Stage] = {
    SERVER: "server",
    RECORD_SET: "DNS",
    REMOTE_COMMAND: "deployment",
    LOCAL_COMMAND: "healthy",
}
_POLL_SECONDS = 0.2
_LOOK_SECONDS = 2.0


@dataclass(frozen=True)
class Passed:
    """A stage that was passed, how many seconds after the beginning, and what there is to say of it."""

    stage: Stage
    seconds: float
    note: str = ""


class Stages:
    """Notes when each stage was passed for the first time, and tells it at once.  Threads may share it."""

    def __init__(self, tell: Callable[[Passed], None]) -> None:
        self._tell = tell
        self._begun = time.monotonic()
        self._lock = threading.Lock()
        self.passed: list[Passed] = []

    def passes(self, stage: Stage, note: str = "") -> None:
        """Note that a stage was passed now."""
        with self._lock:
            if any(one.stage == stage for one in self.passed):
                return
            self.passed.append(Passed(stage, round(time.monotonic() - self._begun, 1), note))
            self._tell(self.passed[-1])


class Events:
    """Understands the engine's events: which stage has passed, the server's address, and why it failed."""

    def __init__(self, name: str, stages: Stages, *, on_server: Callable[[str], None]) -> None:
        self._name = name
        self._stages = stages
        self._on_server = on_server
        self._errors: list[str] = []

    def __call__(self, event: Any) -> None:
        """Take one event of the Automation API."""
        match events.read_event(event):
            case events.Step(op="create", stage=events.Stage.BEGINS):
                self._stages.passes("queued", "the engine has started")
            case events.Step(op="create", stage=events.Stage.ENDS, new=events.ResourceState() as made):
                self._made(made)
            case events.Problem(message=message):
                self._errors.append(message)

    def _made(self, made: events.ResourceState) -> None:
        stage = _KINDS.get(made.type)
        if stage is None:
            return
        logical = made.urn.rpartition("::")[2]
        if stage == "server":
            address = str(made.outputs.get("ipv4Address", ""))
            self._stages.passes(stage, address)
            if address:
                self._on_server(address)
        elif stage == "DNS" or (logical.startswith(f"{self._name}-") and not logical.endswith(EDGE_ENDING)):
            self._stages.passes(stage)

    def why(self, secrets: list[str]) -> str:
        """Return in one sentence why the engine failed: its first error that is not about other errors."""
        redact = Redactor(secrets)
        said = next(filter(None, map(reason, self._errors)), "")
        return redact.line(said, LONGEST) if said else "the engine gave no reason"


class Watch:
    """Looks at a new server from outside: when SSH answers, and when it shows a certificate that can be trusted."""

    def __init__(self, stages: Stages, host_name: str, ca_bundle: str | None) -> None:
        self._stages = stages
        self._host_name = host_name
        self._ca_bundle = ca_bundle
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, address: str) -> None:
        """Begin to look, in a thread."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._look, args=(address,), daemon=True)
            self._thread.start()

    def end(self) -> None:
        """Look no more."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _look(self, address: str) -> None:
        context = ssl.create_default_context(cafile=self._ca_bundle)
        if self._until(lambda: _banner(address)):
            self._stages.passes("SSH")
            if self._until(lambda: _certificate(address, self._host_name, context)):
                self._stages.passes("TLS")

    def _until(self, ask: Callable[[], bool]) -> bool:
        while not self._over.is_set():
            if ask():
                return True
            self._over.wait(_POLL_SECONDS)
        return False


def _banner(address: str) -> bool:
    try:
        with socket.create_connection((address, 22), timeout=_LOOK_SECONDS) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _certificate(address: str, name: str, context: ssl.SSLContext) -> bool:
    try:
        with socket.create_connection((address, 443), timeout=_LOOK_SECONDS) as connection:
            context.wrap_socket(connection, server_hostname=name).close()
            return True
    except OSError:
        return False
