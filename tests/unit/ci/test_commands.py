from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from clawdet_infra.ci.commands import CheckoutCommands, inert_log
from clawdet_infra.ci.secrecy import redactor
from tests.support.stack import ROOT, wait_until

CANARY = "canary-4f1c0e-passphrase"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with an `activate` that puts its own programs on PATH."""
    (tmp_path / "activate").write_text('export PATH="$PWD/bin:$PATH" ACTIVATED=yes\n')
    (tmp_path / "bin").mkdir()
    return tmp_path


def program(checkout: Path, text: str) -> None:
    file = checkout / "bin" / "clawdet"
    file.write_text(f"#!{sys.executable}\n{textwrap.dedent(text)}")
    file.chmod(0o755)


def test_a_command_runs_activated_and_nothing_secret_is_told(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program(
        checkout,
        """
        import os, sys
        print("activated", os.environ["ACTIVATED"], sys.argv[1:])
        print("out", os.environ["PULUMI_CONFIG_PASSPHRASE"], flush=True)
        print("err", os.environ["PULUMI_CONFIG_PASSPHRASE"], file=sys.stderr)
        sys.stdout.buffer.write(b"\\xff no UTF-8\\n")
        sys.exit(5)
        """,
    )
    secrets = {"PULUMI_CONFIG_PASSPHRASE": CANARY}
    commands = CheckoutCommands(checkout, redactor(secrets))
    done = commands(["clawdet", "preview", "$(id)"], {**os.environ, **secrets})
    assert done.code == 5
    assert done.output == "activated yes ['preview', '$(id)']\nout [secret]\n\ufffd no UTF-8\n"
    assert done.messages == "err [secret]\n"
    shown = capsys.readouterr().out
    assert "out [secret]" in shown
    assert "err [secret]" in shown
    assert CANARY not in shown


def test_what_is_quiet_is_kept_and_not_shown_but_its_messages_are(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program(checkout, "import sys; print('report'); print('progress', file=sys.stderr)")
    done = CheckoutCommands(checkout, str)(["clawdet"], dict(os.environ), quiet=True)
    assert done.output == "report\n"
    assert capsys.readouterr().out == "progress\n"


def test_much_output_on_both_sides_does_not_get_stuck(checkout: Path) -> None:
    program(
        checkout,
        "import sys\nfor n in range(20000):\n  print('x' * 50)\n  print('y' * 50, file=sys.stderr)",
    )
    done = CheckoutCommands(checkout, str)(["clawdet"], dict(os.environ), quiet=True)
    assert (len(done.output), len(done.messages)) == (51 * 20000, 51 * 20000)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_cancelled_job_lets_the_engine_end_in_good_order(checkout: Path, number: signal.Signals) -> None:
    """A forge signals the job's own process; the update below it is interrupted, and its end is waited for."""
    program(
        checkout,
        """
        import pathlib, signal, sys, time
        def stop(*_):
            time.sleep(0.5)
            pathlib.Path("ended").write_text("in good order")
            sys.exit(1)
        signal.signal(signal.SIGINT, stop)
        pathlib.Path("begun").touch()
        time.sleep(60)
        """,
    )
    code = (
        "import os, sys, pathlib; from clawdet_infra.ci.commands import CheckoutCommands; "
        "sys.exit(CheckoutCommands(pathlib.Path.cwd(), str)(['clawdet', 'up'], dict(os.environ)).code)"
    )
    job = subprocess.Popen([sys.executable, "-c", code], cwd=checkout, env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        wait_until((checkout / "begun").exists, seconds=30, what="the update has begun")
        job.send_signal(number)
        assert job.wait(30) == 1
        assert (checkout / "ended").read_text() == "in good order"
    finally:
        job.kill()
        job.wait()


def test_github_takes_nothing_in_between_for_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    with contextlib.suppress(RuntimeError), inert_log({"GITHUB_ACTIONS": "true"}):
        print("::add-mask::x")
        raise RuntimeError
    first, between, last = capsys.readouterr().out.splitlines()
    assert between == "::add-mask::x"
    word = first.removeprefix("::stop-commands::")
    assert len(word) == 32
    assert last == f"::{word}::", "whatever happens, commands work again afterwards"
    with inert_log({"GITLAB_CI": "true"}):
        print("as it is")
    assert capsys.readouterr().out == "as it is\n"
