"""Who is talked to, and what is said of a server that cannot be."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from clawdet_infra.hosts import HostError, HostPolicy, Hosts, Login, UnreachableError, connect
from clawdet_infra.inventory.instance import Server
from tests.contract.command_plugin.sshd import Keys, Sshd
from tests.support.stack import wait_until

Policy = Callable[..., HostPolicy]


async def test_a_command_runs_with_its_arguments_as_they_are(server: Server, login: Login, policy: Policy) -> None:
    async with connect(server, login, policy()) as host:
        awkward = ["two words", "$HOME", "a'quote", "*", ""]
        answer = await host.run(["printf", "%s|", *awkward])
    assert answer.ok
    assert answer.output == "".join(f"{one}|" for one in awkward)


async def test_the_exit_code_and_both_streams_come_back(server: Server, login: Login, policy: Policy) -> None:
    async with connect(server, login, policy()) as host:
        answer = await host.run(["sh", "-c", "echo out; echo err >&2; cat; exit 7"], stdin="in")
    assert (answer.code, answer.output, answer.errors) == (7, "out\nin", "err\n")


async def test_a_command_that_was_killed_ends_as_a_shell_would_say(
    server: Server, login: Login, policy: Policy
) -> None:
    async with connect(server, login, policy()) as host:
        answer = await host.run(["sh", "-c", "kill -KILL $$"])
    assert answer.code == 137


async def test_another_host_key_is_refused_before_anything_is_sent(
    server: Server, keys: Keys, sshd: Sshd, login: Login, policy: Policy
) -> None:
    before = sshd.log.read_text()
    with pytest.raises(HostError, match="shows another SSH host key than the one that stack local made for it"):
        async with connect(replace(server, host_key=keys.public("stranger")), login, policy()):
            pass
    said = sshd.log.read_text().removeprefix(before)
    assert "Accepted" not in said
    assert "publickey" not in said, "the key was not offered to a server that is not known"


async def test_another_kind_of_host_key_does_not_help(server: Server, login: Login, policy: Policy, keys: Keys) -> None:
    """The server has an RSA key too; the pinned ed25519 key of a stranger must not be passed over for it."""
    with pytest.raises(HostError, match="another SSH host key"):
        async with connect(replace(server, host_key=keys.public("agent")), login, policy()):
            pass


async def test_a_key_that_the_server_does_not_know_is_said_so(server: Server, keys: Keys, policy: Policy) -> None:
    with pytest.raises(HostError, match="user123 does not take the SSH key of stack local"):
        async with connect(server, Login(SecretStr(keys.private("stranger"))), policy()):
            pass


async def test_the_operators_own_keys_and_agent_are_not_used(
    server: Server, keys: Keys, policy: Policy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id_ed25519").write_text(keys.private("user"))
    (tmp_path / ".ssh" / "config").write_text("Host *\n  ProxyCommand false\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(HostError, match="does not take the SSH key"):
        async with connect(server, Login(SecretStr(keys.private("stranger"))), policy()):
            pass


async def test_a_broken_key_is_not_quoted(server: Server, policy: Policy) -> None:
    with pytest.raises(HostError, match="cannot be read") as caught:
        async with connect(server, Login(SecretStr("canary-key")), policy()):
            pass
    assert "canary" not in str(caught.value)


async def test_nobody_listening_is_said_at_once(server: Server, login: Login, policy: Policy) -> None:
    with pytest.raises(UnreachableError, match="nothing listens on port"):
        async with connect(server, login, policy(port=1)):
            pass


async def test_a_server_that_takes_connections_and_says_nothing_is_given_up_in_time(
    server: Server, login: Login, policy: Policy
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        with pytest.raises(UnreachableError, match="did not let anybody in over SSH within 1 s"):
            async with connect(server, login, policy(port=silent.getsockname()[1], connect_seconds=1)):
                pass
    assert time.monotonic() - began < 3


async def test_a_command_that_takes_too_long_is_given_up(server: Server, login: Login, policy: Policy) -> None:
    async with connect(server, login, policy()) as host:
        with pytest.raises(HostError, match="user123 did not finish `sleep` within 1 s"):
            await host.run(["sleep", "30"], seconds=1)
        assert (await host.run(["true"])).ok, "the connection is still good"


async def test_endless_output_is_cut_and_read_to_its_end(server: Server, login: Login, policy: Policy) -> None:
    async with connect(server, login, policy(output_bytes=1000)) as host:
        answer = await host.run(["sh", "-c", "head -c 3000000 /dev/zero; echo end >&2"])
    assert answer.cut
    assert len(answer.output) == 1000
    assert answer.errors == "end\n"


async def test_more_commands_at_once_than_a_server_takes_wait_for_their_turn(
    server: Server, login: Login, policy: Policy
) -> None:
    async with connect(server, login, policy()) as host:
        answers = await asyncio.gather(*(host.run(["echo", str(number)]) for number in range(40)))
    assert [answer.output for answer in answers] == [f"{number}\n" for number in range(40)]


async def test_many_questions_share_one_connection(server: Server, login: Login, policy: Policy, sshd: Sshd) -> None:
    def accepted() -> int:
        return sshd.log.read_text().count("Accepted publickey")

    before = accepted()
    async with Hosts({"local": login.key}, policy()) as hosts:
        opened = await asyncio.gather(*(hosts.on(server) for _ in range(5)))
        assert len(set(map(id, opened))) == 1
    # sshd has several processes, and the one that logs this may come to it late.
    await asyncio.to_thread(wait_until, lambda: accepted() > before, seconds=10, what="sshd logs the connection")
    assert accepted() == before + 1


async def test_a_connection_that_froze_is_noticed(keys: Keys, server: Server, login: Login, tmp_path: Path) -> None:
    """A server that hangs keeps its connections: only unanswered questions tell."""
    import getpass

    frozen = Sshd(keys, tmp_path / "frozen").start()
    policy = HostPolicy(port=frozen.port, user=getpass.getuser(), keepalive_seconds=0.5, keepalive_count=2)
    try:
        async with connect(server, login, policy) as host:
            serving = (await host.run(["sh", "-c", "ps -o ppid= -p $PPID; echo $PPID"])).output.split()
            for process in serving:
                if int(process) != frozen.process.pid:  # type: ignore[union-attr]
                    os.kill(int(process), signal.SIGSTOP)
            try:
                with pytest.raises(UnreachableError, match="the connection to user123 was lost"):
                    await host.run(["true"], seconds=8)
            finally:
                for process in serving:
                    os.kill(int(process), signal.SIGCONT)
    finally:
        frozen.stop()


async def test_a_pool_connects_again_after_a_connection_was_lost(server: Server, login: Login, policy: Policy) -> None:
    async with Hosts({"local": login.key}, policy()) as hosts:
        first = await hosts.on(server)
        await first.close()
        second = await hosts.on(server)
        assert second is not first
        assert (await second.run(["true"])).ok


async def test_a_stack_without_a_key_is_said_so(server: Server, policy: Policy) -> None:
    async with Hosts({}, policy()) as hosts:
        with pytest.raises(HostError, match="the key of stack local is not known"):
            await hosts.on(server)
