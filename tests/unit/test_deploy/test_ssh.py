"""How a server is reached: what `ssh` is told, and what its refusals mean."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clawdet_infra.test_deploy.failures import TrialError
from clawdet_infra.test_deploy.ssh import Ssh

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ9ndtPBVqIyMrkfyo5frHPnTprQjrCiJs9KykrjYBSn"


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for `ssh`, to be written."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path / "ssh"


def write(program: Path, text: str) -> None:
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)


def test_a_host_key_is_never_taken_on_trust(ssh: Path, tmp_path: Path) -> None:
    write(ssh, 'echo "$@"')
    told = Ssh("192.0.2.7", tmp_path).run("true", seconds=5)
    assert "StrictHostKeyChecking=yes" in told
    assert "BatchMode=yes" in told
    assert "UserKnownHostsFile" not in told, "this user's own known_hosts decides"
    assert told.strip().endswith("-l root -- 192.0.2.7 true")


def test_a_given_host_key_is_the_only_one_that_counts(ssh: Path, tmp_path: Path) -> None:
    write(ssh, 'echo "$@"')
    told = Ssh("192.0.2.7", tmp_path, KEY, "/keys/one").run("true", seconds=5)
    assert f"UserKnownHostsFile={tmp_path}/known_hosts" in told
    assert "GlobalKnownHostsFile=/dev/null" in told
    assert "HostKeyAlgorithms=ssh-ed25519" in told
    assert "IdentityFile=/keys/one -o IdentitiesOnly=yes" in told
    assert (tmp_path / "known_hosts").read_text() == f"192.0.2.7 {KEY}\n"


@pytest.mark.parametrize(
    ("said", "host_key", "meaning"),
    [
        ("No ED25519 host key is known.\nHost key verification failed.", None, "Give it with --host-key"),
        ("Host key verification failed.", KEY, "somebody may be in between"),
        ("@ REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.", None, "may be in between"),
        ("root@192.0.2.7: Permission denied (publickey).", KEY, "Give the right one with --identity"),
        ("ssh: connect to host 192.0.2.7 port 22: Connection refused", KEY, "Connection refused"),
    ],
)
def test_a_refusal_is_told_by_what_to_do_about_it(
    ssh: Path, tmp_path: Path, said: str, host_key: str | None, meaning: str
) -> None:
    write(ssh, f"echo '{said}' >&2; exit 255")
    with pytest.raises(TrialError) as caught:
        Ssh("192.0.2.7", tmp_path, host_key).run("true", seconds=5)
    assert str(caught.value).startswith("192.0.2.7 cannot be reached over SSH: ")
    assert meaning in str(caught.value)


def test_a_command_that_fails_is_told_by_its_last_line_without_secrets(ssh: Path, tmp_path: Path) -> None:
    write(
        ssh,
        "cat >/dev/null; echo first >&2; echo '[clawdet:deployment] customer x: refused the-secret-value' >&2; exit 1",
    )
    with pytest.raises(TrialError) as caught:
        Ssh("192.0.2.7", tmp_path).run("deploy", "payload", seconds=5, secrets=("the-secret-value",))
    assert str(caught.value) == "customer x: refused [secret]"


def test_one_that_does_not_end_is_ended(ssh: Path, tmp_path: Path) -> None:
    write(ssh, "exec sleep 600")
    with pytest.raises(TrialError, match="did not finish within 1 s"):
        Ssh("192.0.2.7", tmp_path).run("deploy", seconds=1)
