"""A server is asked for its host key until it answers."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncssh
import pytest

from clawdet_infra.automation import InputError, host_keys
from clawdet_infra.automation.host_keys import shown_host_key

HERE = "127.0.0.1"


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_keys, "_PAUSE_SECONDS", 0.02)


@pytest.fixture
def port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind((HERE, 0))
        return int(free.getsockname()[1])


@contextmanager
def served(port: int, kind: str, *, after: float = 0) -> Iterator[list[str]]:
    """An SSH server in a thread of its own, which comes up after a while."""
    key = asyncssh.generate_private_key(kind)
    over, up = threading.Event(), threading.Event()

    async def serve() -> None:
        await asyncio.sleep(after)
        server: Any = await asyncssh.listen(HERE, port, server_host_keys=[key])
        up.set()
        await asyncio.to_thread(over.wait)
        server.close()
        await server.wait_closed()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        if not after:
            assert up.wait(10)
        yield key.export_public_key("openssh").decode().split()
    finally:
        over.set()
        thread.join()


def test_the_key_is_what_the_server_shows(port: int) -> None:
    with served(port, "ssh-ed25519") as words:
        assert shown_host_key(HERE, "bob", port=port).split() == words[:2]


def test_a_server_that_boots_is_waited_for(port: int) -> None:
    with served(port, "ssh-ed25519", after=0.3) as words:
        assert shown_host_key(HERE, "bob", port=port, seconds=10).split() == words[:2]


def test_who_hangs_up_at_first_is_asked_again(port: int) -> None:
    with socket.create_server((HERE, port)) as early:
        rude = threading.Thread(target=lambda: early.accept()[0].close())
        rude.start()
        with pytest.raises(InputError, match="does not answer by SSH"):
            shown_host_key(HERE, "bob", port=port, seconds=0.5)
        rude.join()
    with served(port, "ssh-ed25519") as words:
        assert shown_host_key(HERE, "bob", port=port, seconds=10).split() == words[:2]


def test_a_server_that_is_not_there_is_told_with_the_reason(port: int) -> None:
    with pytest.raises(InputError, match=r"customer bob: the server 127.0.0.1 does not answer by SSH: .*[Cc]onnect"):
        shown_host_key(HERE, "bob", port=port, seconds=0.3)


def test_a_server_without_a_key_of_this_kind_is_told_at_once(port: int) -> None:
    with served(port, "ecdsa-sha2-nistp256"), pytest.raises(InputError, match="bob"):
        shown_host_key(HERE, "bob", port=port, seconds=60)


@pytest.mark.parametrize("address", ["example.com", "", "192.0.2.7; reboot"])
def test_a_name_is_not_looked_up(address: str) -> None:
    with pytest.raises(InputError, match="is not an IPv4 address"):
        shown_host_key(address, "bob")
