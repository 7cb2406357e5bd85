"""How connections are made: keys, agents, passwords, bastions, host keys, and patience."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest

from tests.contract.command_plugin.sdk import remote
from tests.contract.command_plugin.sshd import PASSPHRASE, Keys, Sshd, free_port
from tests.contract.command_plugin.stack import Program, Stack, export

pytestmark = pytest.mark.engine


def hello(connection: remote.ConnectionArgs) -> Program:
    def program() -> None:
        export(stdout=remote.Command("it", connection=connection, create="echo hello").stdout)

    return program


def test_a_key_with_a_passphrase_opens_with_it_only(stack: Stack, sshd: Sshd) -> None:
    locked = sshd.keys.private("locked")
    with stack.failing("passphrase", ours="give it as privateKeyPassword"):
        stack.up(hello(sshd.connection(private_key=locked)))
    with stack.failing(ours="privateKey for 127.0.0.1"):
        stack.up(hello(sshd.connection(private_key=locked, private_key_password="wrong")))

    run = stack.up(hello(sshd.connection(private_key=locked, private_key_password=PASSPHRASE)))
    assert run.outputs == {"stdout": "hello"}


def test_a_key_that_the_server_does_not_know_is_refused(stack: Stack, sshd: Sshd) -> None:
    with stack.failing("unable to authenticate", ours="after 2 failed attempts"):
        stack.up(hello(sshd.connection(private_key=sshd.keys.private("stranger"))))


@pytest.fixture
def agent(keys: Keys, tmp_path: Path) -> Iterator[Path]:
    """An SSH agent that holds a key of its own."""
    socket = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
    try:
        while not socket.exists():
            assert process.poll() is None, "the agent ended"
            time.sleep(0.02)
        environment = os.environ | {"SSH_AUTH_SOCK": str(socket)}
        subprocess.run(["ssh-add", "-q", keys.folder / "agent"], env=environment, check=True)
        yield socket
    finally:
        process.terminate()
        process.wait()


def test_an_agent_logs_in_by_its_path_or_by_the_environment(stack: Stack, sshd: Sshd, agent: Path) -> None:
    no_key = {"private_key": None}
    with stack.failing("unable to authenticate"):
        stack.up(hello(sshd.connection(**no_key)))

    assert stack.up(hello(sshd.connection(**no_key, agent_socket_path=str(agent)))).outputs == {"stdout": "hello"}
    stack.destroy()
    stack.environment["SSH_AUTH_SOCK"] = str(agent)
    assert stack.up(hello(sshd.connection(**no_key))).outputs == {"stdout": "hello"}


@pytest.mark.usefixtures("built_here")
def test_the_agent_helps_where_the_private_key_does_not(stack: Stack, sshd: Sshd, agent: Path) -> None:
    stranger = sshd.keys.private("stranger")
    run = stack.up(hello(sshd.connection(private_key=stranger, agent_socket_path=str(agent))))
    assert run.outputs == {"stdout": "hello"}


@pytest.mark.usefixtures("built_here")
def test_an_agent_that_is_gone_does_not_matter_where_a_key_is_given(stack: Stack, sshd: Sshd, tmp_path: Path) -> None:
    left = tmp_path / "left"
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind(str(left))
    stack.environment["SSH_AUTH_SOCK"] = str(left)
    assert stack.up(hello(sshd.connection())).outputs == {"stdout": "hello"}


@pytest.fixture
def sshd_with_password(keys: Keys, tmp_path: Path) -> Iterator[Callable[[str], Sshd]]:
    """Starts a server whose root has a password: it sees a changed copy of /etc/shadow, this machine keeps its own."""
    if os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "true"], check=False).returncode != 0:
        pytest.skip("needs root and mount namespaces")
    servers: list[Sshd] = []

    def start(password: str) -> Sshd:
        hashed = subprocess.run(
            ["openssl", "passwd", "-6", "-stdin"], input=password, capture_output=True, text=True, check=True
        ).stdout.strip()
        others = [line for line in Path("/etc/shadow").read_text().splitlines() if not line.startswith("root:")]
        shadow = tmp_path / "shadow"
        shadow.write_text("\n".join([f"root:{hashed}:19000:0:99999:7:::", *others]) + "\n")
        shadow.chmod(0o600)
        script = f'mount --bind {shadow} /etc/shadow && exec "$@"'
        wrapper = ["unshare", "--mount", "sh", "-c", script, "sh"]
        settings = ["PasswordAuthentication yes", "KbdInteractiveAuthentication no", "PubkeyAuthentication no"]
        servers.append(Sshd(keys, tmp_path / "password", settings, wrapper).start())
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def test_a_password_logs_in(stack: Stack, sshd_with_password: Callable[[str], Sshd]) -> None:
    password = "a pass phrase, and a 'quote'"
    server = sshd_with_password(password)
    with stack.failing("unable to authenticate"):
        stack.up(hello(server.connection(private_key=None, password="wrong")))

    run = stack.up(hello(server.connection(private_key=None, password=password)))

    assert run.outputs == {"stdout": "hello"}
    assert password not in stack.state()


def test_another_host_key_than_the_pinned_one_is_refused(stack: Stack, sshd: Sshd, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    connection = sshd.connection(host_key=sshd.keys.public("stranger"))
    with stack.failing("host key mismatch"):
        stack.up(lambda: remote.Command("it", connection=connection, create=f"touch {trace}") and None)
    assert not trace.exists(), "the command ran on a machine that is not the right one"


@pytest.mark.usefixtures("built_here")
def test_a_host_key_of_any_kind_can_be_pinned(stack: Stack, sshd: Sshd) -> None:
    """The server has keys of three kinds, and shows the one that a client asks for."""
    kinds = ("ed25519", "ecdsa", "rsa")

    def program() -> None:
        for kind in kinds:
            pinned = sshd.connection(host_key=sshd.keys.public(f"host_{kind}"))
            export(**{kind: remote.Command(kind, connection=pinned, create="echo hello").stdout})

    assert stack.up(program).outputs == dict.fromkeys(kinds, "hello")


def test_without_a_host_key_any_server_will_do(stack: Stack, sshd: Sshd) -> None:
    assert stack.up(hello(sshd.connection(host_key=None))).outputs == {"stdout": "hello"}


def test_an_unreadable_host_key_is_refused_at_once(stack: Stack, sshd: Sshd) -> None:
    with stack.failing(ours="hostKey of 127.0.0.1 is no public key"):
        stack.up(hello(sshd.connection(host_key="SHA256:abc", dial_error_limit=-1)))


@pytest.fixture
def bastion(keys: Keys, sshd: Sshd, tmp_path: Path) -> Iterator[Sshd]:
    """A server that lets nobody further than to the usual one, and runs no command itself."""
    settings = [f"PermitOpen 127.0.0.1:{sshd.port}", "ForceCommand false"]
    server = Sshd(keys, tmp_path / "bastion", settings).start()
    yield server
    server.stop()


def test_a_bastion_leads_to_the_machine(stack: Stack, sshd: Sshd, bastion: Sshd) -> None:
    run = stack.up(hello(sshd.connection(proxy=bastion.as_proxy())))

    assert run.outputs == {"stdout": "hello"}
    assert "Accepted publickey" in bastion.log.read_text(), "the connection did not go through the bastion"


@pytest.mark.parametrize(
    ("mistake", "expected"),
    [("host key", "host key mismatch"), ("key", "unable to authenticate"), ("port", "connection refused")],
)
def test_a_wrong_bastion_is_told_from_a_wrong_machine(
    stack: Stack, sshd: Sshd, bastion: Sshd, mistake: str, expected: str
) -> None:
    changes: dict[str, dict[str, Any]] = {
        "host key": {"host_key": sshd.keys.public("stranger")},
        "key": {"private_key": sshd.keys.private("stranger")},
        "port": {"port": free_port()},
    }
    with stack.failing("proxy: ", expected):
        stack.up(hello(sshd.connection(proxy=bastion.as_proxy(dial_error_limit=0, **changes[mistake]))))


def test_the_machine_behind_a_bastion_is_checked_too(stack: Stack, sshd: Sshd, bastion: Sshd) -> None:
    with stack.failing("host key mismatch"):
        stack.up(hello(sshd.connection(host_key=sshd.keys.public("stranger"), proxy=bastion.as_proxy())))


def test_a_refused_connection_is_given_up_after_the_limit(stack: Stack, sshd: Sshd) -> None:
    started = time.monotonic()
    with stack.failing("connection refused", ours="after 3 failed attempts"):
        stack.up(hello(sshd.connection(port=free_port(), dial_error_limit=2)))
    assert time.monotonic() - started < 20


def test_a_server_that_starts_late_is_waited_for(stack: Stack, keys: Keys, tmp_path: Path) -> None:
    late = Sshd(keys, tmp_path / "late")

    def start_after_a_failure(line: str) -> None:
        if line.startswith("Dial 2/inf failed") and not late.process:
            late.start()

    try:
        run = stack.up(hello(late.connection(dial_error_limit=-1)), on_shown=start_after_a_failure)
    finally:
        late.stop()
    assert run.outputs == {"stdout": "hello"}


@pytest.mark.usefixtures("built_here")
def test_connections_end_with_their_command(stack: Stack, sshd: Sshd) -> None:
    """A plugin lives as long as an update; ten commands on one server must not be ten open connections."""
    assert sshd.process
    count = f"grep -sl '^PPid:[[:space:]]*{sshd.process.pid}$' /proc/[0-9]*/status | wc -l"

    def program() -> None:
        before: list[remote.Command] = []
        for number in range(4):
            command = remote.Command(
                f"it-{number}",
                connection=sshd.connection(),
                create=f"sleep 0.3; {count}",
                opts=pulumi.ResourceOptions(depends_on=list(before)),
            )
            before.append(command)
        export(**{f"open{number}": command.stdout for number, command in enumerate(before)})

    outputs = stack.up(program).outputs
    assert set(outputs.values()) == {"1"}, f"connections that were open during each command: {outputs}"
