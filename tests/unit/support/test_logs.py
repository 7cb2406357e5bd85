"""What a failed test of a deployment shows."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.logs import LINES, redacted, server_logs

pytest_plugins = ["pytester"]

TOKEN = "c4" * 32
KEY = "sk-ant-canary-0123456789-abcdefghijklmnop"
BOT = "123456789:canaryTELEGRAMabcdefghijklmnopqrstuv"
DIGEST = f"example.test/gateway@sha256:{'a1' * 32}"


def test_secrets_are_hidden_and_digests_are_not() -> None:
    text = f"{KEY} {BOT} {TOKEN} {TOKEN[:16]} Basic dXNlcjpwYXNzd29yZA== my-password {DIGEST} 192.0.2.1:443"
    shown = redacted(text, ["my-password"])
    assert shown == f"{' '.join(['[secret]'] * 4)} Basic [secret] [secret] {DIGEST} 192.0.2.1:443"


DOCKER = f"""#!/bin/sh
case "$*" in
*Image*) echo "anna-gateway-1: {DIGEST}, Up 3 seconds" ;;
ps*) printf 'anna-proxy-1\\nanna-gateway-1\\nclawdet-edge-edge-1\\nanna-browser-1\\n' ;;
*gateway*) echo "it said: $*"; echo "error: token {TOKEN} was refused" >&2 ;;
*) echo "it said: $*" ;;
esac
"""


def test_each_log_of_a_server_is_shown_with_its_name(tmp_path: Path) -> None:
    programs = {"docker": DOCKER, "journalctl": '#!/bin/sh\necho "guard: $*"\n'}
    for name, text in programs.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)

    def run(command: str) -> str:
        path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
        return subprocess.run(["sh", "-c", command], env=path, capture_output=True, text=True, check=True).stdout

    shown = server_logs(run, deployment="\n".join(f"line {number}" for number in range(99)))
    assert shown.splitlines()[:12] == [
        "== containers",
        f"anna-gateway-1: {DIGEST}, Up 3 seconds",
        "== log of anna-gateway-1",
        f"it said: logs --tail {LINES} anna-gateway-1",
        "error: token [secret] was refused",
        "== log of anna-proxy-1",
        f"it said: logs --tail {LINES} anna-proxy-1",
        "== log of clawdet-edge-edge-1",
        f"it said: logs --tail {LINES} clawdet-edge-edge-1",
        "== log of the guard",
        f"guard: --unit clawdet-guard.service --output short-iso --lines {LINES} --no-pager --quiet",
        "== the last deployment",
    ]
    assert shown.splitlines()[12:] == [f"line {number}" for number in range(99 - LINES, 99)]


TESTS = """
import pytest

class Server:
    def logs(self):
        return "what the server wrote"

class Gone:
    def logs(self):
        raise OSError("no route to sk-ant-0123456789")

@pytest.fixture
def server():
    return Server()

@pytest.fixture
def one_of_its_customers(server):
    return "anna"

@pytest.fixture
def gone():
    return Gone()

def test_passes(server):
    pass

def test_fails(one_of_its_customers, gone):
    assert 1 == 2
"""


def test_a_failed_test_shows_the_logs_of_its_fixtures_and_a_passed_one_does_not(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("from tests.support.logs import pytest_runtest_makereport\n")
    pytester.makepyfile(TESTS)
    result = pytester.runpytest_inprocess("-p", "no:asyncio")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.re_match_lines_random(["-+ logs of server -+", "-+ logs of gone -+"])
    text = result.stdout.str()
    assert text.count("what the server wrote") == 1
    assert "the logs could not be read: OSError: no route to [secret]" in text
    assert "assert 1 == 2" in text
