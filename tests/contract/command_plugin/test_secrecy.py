"""A secret that goes to a command by its standard input is seen by that command alone."""

from __future__ import annotations

import threading
from pathlib import Path

import pulumi
import pytest
from pulumi import automation as auto

from tests.contract.command_plugin.sdk import local, remote
from tests.contract.command_plugin.sshd import Sshd
from tests.contract.command_plugin.stack import Stack

pytestmark = pytest.mark.engine

CANARY = "canary-8f1d2c3b4a"


class Watch:
    """Looks at the arguments and the environments of all processes again and again."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.rounds = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.02):
            self.rounds += 1
            for path in [*Path("/proc").glob("[0-9]*/cmdline"), *Path("/proc").glob("[0-9]*/environ")]:
                try:
                    content = path.read_bytes()
                except OSError:
                    continue
                if CANARY.encode() in content:
                    self.seen.add(f"{path}: {content[:200]!r}")


def test_stdin_shows_up_nowhere(stack: Stack, sshd: Sshd) -> None:
    def program() -> None:
        secret = pulumi.Output.secret(f"{CANARY}\n")
        length = "sleep 0.5; wc -c"
        remote.Command("there", connection=sshd.connection(), create=length, stdin=secret)
        local.Command("here", create=length, stdin=secret)

    with Watch() as watch:
        run = stack.up(program)

    assert watch.rounds > 5
    assert not watch.seen, "a process shows the secret"
    assert CANARY not in "\n".join([*run.printed, *run.shown])
    assert "ciphertext" in stack.state()
    assert CANARY not in stack.state()
    assert stack.resource("there")["outputs"]["stdout"] == str(len(CANARY) + 1), "the command did get it"


def test_a_failure_does_not_tell_the_stdin(stack: Stack, sshd: Sshd) -> None:
    def program() -> None:
        secret = pulumi.Output.secret(CANARY)
        remote.Command("it", connection=sshd.connection(), create="cat > /dev/null; exit 9", stdin=secret)

    with pytest.raises(auto.CommandError, match="status 9") as caught:
        stack.up(program)
    assert CANARY not in str(caught.value)
