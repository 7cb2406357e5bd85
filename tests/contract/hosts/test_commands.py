"""`clawdet logs`, `exec`, `ssh` and `token show` as processes, against a real SSH server."""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.command_plugin.sshd import Keys, Sshd
from tests.contract.hosts.fake_docker import FakeDocker
from tests.support.stack import ROOT

TOKEN = "canary-gateway-token-0123456789"
PASSWORD = "canary-password"


class Clawdet:
    """Runs the command, and holds every output against the secrets that must not be in it."""

    def __init__(self, keys: Keys, sshd: Sshd, docker: FakeDocker, home: Path) -> None:
        self.docker = docker
        self.secrets = [TOKEN, PASSWORD, keys.private("user").splitlines()[2]]
        place = {
            "host_key": keys.public("host_ed25519"),
            "login_key": keys.private("user"),
            "port": sshd.port,
            "user": getpass.getuser(),
            "token": TOKEN,
            "password": PASSWORD,
            "root": str(home / "srv"),
        }
        home.mkdir()
        (home / "Pulumi.local.yaml").write_text("config:\n  clawdet:domain: clawdet.test\n")
        self.deployments = home / "srv"
        self.env = {**os.environ, "TESTS_PLACE": json.dumps(place), "CLAWDET_ROOT": str(home), "TERM": "xterm"}

    def argv(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "tests.contract.hosts.driver", *arguments]

    def __call__(
        self, *arguments: str, stdin: str | None = "", secret: bool = False
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.argv(*arguments), cwd=ROOT, env=self.env, input=stdin, capture_output=True, text=True, timeout=60
        )
        if not secret:
            assert not [one for one in self.secrets if one in done.stdout + done.stderr]
        return done

    def at_a_terminal(self, *arguments: str, typed: str = "", rows: int = 33, columns: int = 101) -> tuple[int, str]:
        """Run the command with a terminal; returns the exit code and what was on the screen."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        process = subprocess.Popen(
            self.argv(*arguments),
            cwd=ROOT,
            env=self.env,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        os.write(ours, typed.encode())
        screen, end = b"", time.monotonic() + 60
        while time.monotonic() < end:
            if select.select([ours], [], [], 0.2)[0]:
                try:
                    chunk = os.read(ours, 65536)
                except OSError:  # The other side is gone.
                    break
                screen += chunk
            elif process.poll() is not None:
                break
        os.close(ours)
        try:
            return process.wait(timeout=10), screen.decode(errors="replace")
        finally:
            process.kill()
            process.wait()


@pytest.fixture
def clawdet(keys: Keys, tmp_path: Path) -> Iterator[Clawdet]:
    docker = FakeDocker(tmp_path / "docker", [])
    sshd = Sshd(keys, tmp_path / "sshd", settings=[f"SetEnv PATH={docker.path}"]).start()
    yield Clawdet(keys, sshd, docker, tmp_path / "home")
    sshd.stop()


def test_a_command_gets_the_input_and_gives_output_errors_and_its_exit_code(clawdet: Clawdet) -> None:
    done = clawdet("exec", "user123", "--", "sh", "-c", "cat; echo trouble >&2; exit 7", stdin="line 1\nline 2\n")
    assert (done.returncode, done.stdout, done.stderr) == (7, "line 1\nline 2\n", "trouble\n")
    assert clawdet.docker.calls() == [
        ["exec", "--interactive", "user123-gateway-1", "sh", "-c", "cat; echo trouble >&2; exit 7"]
    ]


def test_much_input_and_output_pass_whole(clawdet: Clawdet) -> None:
    much = "".join(f"{number}\n" for number in range(300_000))
    assert clawdet("exec", "user123", "--", "cat", stdin=much).stdout == much


def test_a_command_may_leave_its_input_unread(clawdet: Clawdet) -> None:
    done = clawdet("exec", "user123", "--", "true", stdin="x" * 1_000_000)
    assert done.returncode == 0, done.stderr


def test_a_command_that_was_killed_ends_as_in_a_shell(clawdet: Clawdet) -> None:
    assert clawdet("ssh", "user123", "--", "kill -TERM $$").returncode == 143


def test_a_shell_on_the_server_reads_a_command_as_with_ssh(clawdet: Clawdet) -> None:
    line = "echo one two | wc -w; echo $((40 + 2))"
    assert clawdet("ssh", "user123", "--", line).stdout.split() == ["2", "42"]
    assert clawdet("ssh", "user123", "--", "echo", "a", "b", "|", "wc", "-w").stdout.strip() == "2"
    done = clawdet("ssh", "user123", "--json", "--", f"{line}; exit 3")
    assert done.returncode == 3
    assert json.loads(done.stdout) == {
        "customer": "user123",
        "server": "user123",
        "exitCode": 3,
        "output": "2\n42\n",
        "errors": "",
    }


def test_no_shell_reads_what_runs_in_a_container(clawdet: Clawdet) -> None:
    assert clawdet("exec", "user123", "--", "echo", "one | two").stdout == "one | two\n"


def test_a_command_as_json(clawdet: Clawdet) -> None:
    done = clawdet("exec", "user123", "--service", "proxy", "--json", "--", "sh", "-c", "echo out; exit 3")
    assert done.returncode == 3
    assert json.loads(done.stdout) == {"customer": "user123", "exitCode": 3, "output": "out\n", "errors": ""}
    assert clawdet.docker.calls()[0][1] == "user123-proxy-1"


def test_a_command_has_a_terminal_where_the_operator_has_one(clawdet: Clawdet) -> None:
    code, screen = clawdet.at_a_terminal("exec", "user123", "--", "sh", "-c", "tty; stty size; exit 5")
    assert code == 5, screen
    assert "/dev/pts/" in screen
    assert "33 101" in screen
    assert clawdet.docker.calls()[0][:3] == ["exec", "--interactive", "--tty"]


def test_a_shell_takes_what_is_typed_and_gives_the_terminal_back(clawdet: Clawdet) -> None:
    code, screen = clawdet.at_a_terminal("ssh", "user123", typed="echo $((40 + 2))\nexit 9\n")
    assert code == 9, screen
    assert "42" in screen


def test_a_shell_on_a_shared_server_says_that_it_is_the_whole_host(clawdet: Clawdet) -> None:
    done = clawdet("ssh", "alice", "--", "echo", "here")
    assert done.stdout == "here\n"
    assert "alice shares shared-1" in done.stderr
    assert "whole host" in done.stderr
    assert clawdet("ssh", "user123", "--", "true").stderr == ""


def test_logs_are_printed_without_the_customers_secrets(clawdet: Clawdet) -> None:
    clawdet.docker.log(f"started\ntoken is {TOKEN}\nlogin user123:{PASSWORD}\nno end of line")
    done = clawdet("logs", "user123", "--since", "10m")
    lines = [line for line in done.stdout.splitlines() if line != "a word of warning"]
    assert lines == ["started", "token is [secret]", "login user123:[secret]", "no end of line"]
    assert clawdet.docker.calls() == [["logs", "--since", "10m", "user123-gateway-1"]]


def test_lines_of_several_customers_begin_with_the_id(clawdet: Clawdet) -> None:
    clawdet.docker.log("hello\n")
    lines = clawdet("logs", "user123", "alice", "--tail", "5").stdout.splitlines()
    assert {"user123: hello", "alice: hello"} <= set(lines)


def test_logs_as_json_are_an_object_a_line(clawdet: Clawdet) -> None:
    clawdet.docker.log("hello\n")
    lines = [json.loads(line) for line in clawdet("logs", "user123", "--json").stdout.splitlines()]
    assert {"customer": "user123", "service": "gateway", "stream": "stdout", "line": "hello"} in lines
    assert {"customer": "user123", "service": "gateway", "stream": "stderr", "line": "a word of warning"} in lines


def test_the_log_of_a_failed_update_is_what_the_server_has_kept(clawdet: Clawdet) -> None:
    none = clawdet("logs", "user123", "--failed")
    assert (none.returncode, none.stdout) == (1, "")
    assert "user123 has kept no failed update of user123" in none.stderr
    kept = clawdet.deployments / "user123" / "failed"
    kept.mkdir(parents=True)
    about = {"release": 7, "image": "openclaw:2026.9.6", "at": "2026-11-28T06:42:59Z", "error": f"no {PASSWORD}"}
    (kept / "about.json").write_text(json.dumps({**about, "services": ["gateway"]}))
    (kept / "gateway.log").write_text(f"one\ntwo\nError: token {TOKEN}\n")
    done = clawdet("logs", "user123", "--failed", "--tail", "2")
    assert (done.returncode, done.stdout) == (0, "two\nError: token [secret]\n")
    assert done.stderr == "user123: release 7 (2026.9.6) failed at 2026-11-28T06:42:59Z: no [secret]\n"
    other = clawdet("logs", "user123", "--failed", "--service", "proxy")
    assert (other.returncode, "kept are: gateway" in other.stderr) == (1, True)
    assert clawdet("logs", "user123", "--failed", "--follow").returncode == 2
    assert clawdet.docker.calls() == []


def test_logs_end_quietly_where_nobody_reads_on(clawdet: Clawdet) -> None:
    clawdet.docker.log("".join(f"line {number}\n" for number in range(200_000)))
    argv = " ".join(clawdet.argv("logs", "user123"))
    done = subprocess.run(
        ["bash", "-c", f"{argv} | head -n 1"], cwd=ROOT, env=clawdet.env, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "line 0\n"
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["logs", "user132"], "Did you mean `user123`"),
        (["exec", "user123", "--service", "gatway", "--", "id"], "Did you mean `gateway`"),
        (["exec", "user123", "--service", "browser", "--", "id"], "user123 has no browser: its plan is pro"),
        (["logs", "user123", "--since", "yesterday"], "such as 90s, 10m or 2h"),
        (["token", "show", "user123"], "say --yes or --json where you mean it"),
    ],
)
def test_what_is_asked_wrongly_ends_with_2_and_says_what_was_meant(
    clawdet: Clawdet, arguments: list[str], said: str
) -> None:
    done = clawdet(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""


def test_a_server_that_cannot_be_reached_is_one_line(clawdet: Clawdet) -> None:
    place = json.loads(clawdet.env["TESTS_PLACE"])
    clawdet.env["TESTS_PLACE"] = json.dumps({**place, "port": 1})
    for arguments in (["exec", "user123", "--", "id"], ["logs", "user123"], ["ssh", "user123"]):
        done = clawdet(*arguments)
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1, done.stderr
        assert "user123 (127.0.0.1) takes no SSH connection" in done.stderr


def test_show_says_what_could_not_be_asked_and_shows_the_rest(clawdet: Clawdet) -> None:
    done = clawdet("show", "user123", "--live", "--json")
    assert done.returncode == 0, done.stderr
    [known] = json.loads(done.stdout)
    assert (known["customer"], known["phase"]) == ("user123", "healthy")
    live = known["live"]
    assert live["server"]["status"] is None
    assert "cannot be reached" in live["server"]["error"]
    assert live["health"]["healthy"] is False
    assert live["server"]["name"] == "user123"
    assert "cannot be reached" in clawdet("show", "user123", "--live").stdout
    assert "cannot be reached" not in clawdet("show", "user123").stdout


def test_details_print_what_they_did_and_name_their_successor(clawdet: Clawdet) -> None:
    done = clawdet("details", "user123", "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("warning: `clawdet details` is now `clawdet show --live`")
    [known] = json.loads(done.stdout)
    assert known["server"]["status"] is None
    assert "cannot be reached" in known["server"]["error"]
    assert known["health"]["healthy"] is False
    assert known["server"]["name"] == "user123"
    assert list(known) == ["customer", "stack", "plan", "url", "user", "image", "server", "health", "host"]
    assert "user123 (pro, stack local)" in clawdet("details", "user123").stdout


def test_secrets_are_shown_to_whoever_asks_for_them(clawdet: Clawdet) -> None:
    [shown] = json.loads(clawdet("token", "show", "user123", "--json", secret=True).stdout)
    assert (shown["gatewayToken"], shown["password"]) == (TOKEN, PASSWORD)
    assert TOKEN in clawdet("token", "show", "user123", "--yes", secret=True).stdout
    code, screen = clawdet.at_a_terminal("token", "show", "user123")
    assert code == 0
    assert TOKEN in screen
