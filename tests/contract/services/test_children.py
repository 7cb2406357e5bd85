"""Programs that the daemon supervises."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from localcloud.services.child import Child
from localcloud.services.errors import ServiceError
from localcloud.settings import free_port
from tests.contract.services.clouds import ROOT, wait_until_dead

LOOPBACK = IPv4Address("127.0.0.1")


def web_server(port: int, log: Path, **options: float) -> Child:
    async def ready() -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()

    argv = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)]
    return Child("the web server", argv, listens=(LOOPBACK, port), ready=ready, log=log, **options)


async def test_a_started_program_answers_and_a_stopped_one_is_gone(tmp_path: Path) -> None:
    child = web_server(free_port(), tmp_path / "log")
    await child.start()
    pid = child.pid
    assert pid is not None

    await child.stop()

    wait_until_dead(pid)


async def until_it_runs_again(child: Child, before: int, port: int) -> None:
    while True:
        await asyncio.sleep(0.05)
        if child.pid in (None, before):
            continue
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionError:
            continue
        writer.close()
        return


async def test_a_program_that_dies_is_started_again(tmp_path: Path) -> None:
    port = free_port()
    child = web_server(port, tmp_path / "log")
    await child.start()
    first = child.pid
    assert first is not None

    os.kill(first, signal.SIGKILL)
    await asyncio.wait_for(until_it_runs_again(child, first, port), 30)
    await child.stop()


async def test_a_program_that_cannot_start_is_told_with_its_own_words(tmp_path: Path) -> None:
    async def never() -> None:
        raise ConnectionRefusedError

    argv = [sys.executable, "-c", "import sys; sys.exit('the port is taken')"]
    child = Child("the broken one", argv, listens=(LOOPBACK, free_port()), ready=never, log=tmp_path / "log")

    with pytest.raises(ServiceError, match=r"the broken one ended at once with status 1: the port is taken"):
        await child.start()


async def test_a_program_on_anothers_port_is_not_taken_for_ready(tmp_path: Path) -> None:
    port = free_port()
    other, ours = web_server(port, tmp_path / "other"), web_server(port, tmp_path / "ours", free_seconds=0.3)
    await other.start()
    try:
        with pytest.raises(ServiceError, match=r"the web server cannot listen on 127\.0\.0\.1 port"):
            await ours.start()
    finally:
        await other.stop()


async def test_a_program_that_never_answers_is_ended(tmp_path: Path) -> None:
    async def never() -> None:
        raise ConnectionRefusedError

    child = Child(
        "the mute one",
        ["sleep", "600"],
        listens=(LOOPBACK, free_port()),
        ready=never,
        log=tmp_path / "log",
        ready_seconds=0.5,
    )

    with pytest.raises(ServiceError, match="did not answer"):
        await child.start()

    assert child.pid is None


def test_programs_end_with_a_daemon_that_was_killed(tmp_path: Path) -> None:
    code = """
import asyncio, sys
from ipaddress import IPv4Address
from pathlib import Path
from localcloud.services.child import Child

async def ready(): pass

async def main():
    child = Child(
        "sleeper", ["sleep", "600"], listens=(IPv4Address("127.0.0.1"), 0), ready=ready, log=Path(sys.argv[1])
    )
    await child.start()
    print(child.pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "log")], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        # setpriv has become the program itself, or the wait below would be for something else.
        deadline = time.monotonic() + 10
        while b"sleep" not in Path(f"/proc/{pid}/cmdline").read_bytes()[:5]:
            assert time.monotonic() < deadline
            time.sleep(0.05)

        parent.kill()

        wait_until_dead(pid)
