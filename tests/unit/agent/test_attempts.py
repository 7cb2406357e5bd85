"""What a failed attempt printed: the line that says why, and what is kept of it."""

from __future__ import annotations

import json
import re
import stat

import pytest

from clawdet_infra.agent.attempts import error_line
from tests.unit.agent.server import Server

NODE = """\
node:internal/modules/cjs/loader:1228
  throw err;
  ^

Error: Cannot find module '/app/dist/gateway.js'
    at Module._resolveFilename (node:internal/modules/cjs/loader:1225:15)
    at Module._load (node:internal/modules/cjs/loader:1051:27) {
  code: 'MODULE_NOT_FOUND',
  requireStack: []
}

Node.js v22.22.0
"""
CAUSE = """\
2026-11-28T05:04:37.120Z [gateway] starting
Error: the gateway could not start
    at main (file:///app/dist/index.js:3:9)
  [cause]: TypeError [ERR_INVALID_ARG]: port is not a number
    at listen (file:///app/dist/net.js:9:1)
"""


@pytest.mark.parametrize(
    ("log", "line"),
    [
        (NODE, "Error: Cannot find module '/app/dist/gateway.js'"),
        (CAUSE, "[cause]: TypeError [ERR_INVALID_ARG]: port is not a number"),
        (
            "2026-11-28T05:04:37.123+00:00 [gateway] error: config is invalid\nshutting down\n",
            "[gateway] error: config is invalid",
        ),
        ("\x1b[31mfatal: no memory\x1b[0m\nbye\n", "fatal: no memory"),
        (
            '{"level":"info","msg":"hello"}\n{"level":"error","msg":"no such host"}\n{"level":"info","msg":"bye"}\n',
            '{"level":"error","msg":"no such host"}',
        ),
        ('Traceback (most recent call last):\n  File "x.py", line 1\nValueError: no\n', "ValueError: no"),
        ("sh: 1: openclaw: not found\n", "sh: 1: openclaw: not found"),
        ("0 errors so far\nlistening\n", "listening"),
        ("error: the first start\nError: the second start\nready to retry\n", "Error: the second start"),
        ("one\ntwo\n\n", "two"),
        ("", ""),
    ],
)
def test_the_error_is_the_reason_and_not_what_follows_it(log: str, line: str) -> None:
    assert error_line(log) == line


def test_what_a_failed_attempt_printed_is_kept_until_another_one_fails(server: Server) -> None:
    server.run(server.payload())
    kept = server.root / "pro-1" / "failed"
    assert not kept.exists()
    ran = server.run(server.payload(gateway="gateway:dying"))
    assert "its log says: Error: the machine says no" in ran.errors
    assert "Node.js" not in ran.errors
    log = kept / "gateway.log"
    [first, error, *stack] = log.read_text().splitlines()
    assert (first, stack) == ("starting", ["    at start (gateway.js:1)", "Node.js v22"])
    assert error.startswith("Error: the machine says no")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    about = json.loads((kept / "about.json").read_text())
    assert about["error"].startswith("probe restarts failed: gateway does not stay up")
    assert (about["release"], about["image"], about["services"]) == (2, "gateway:dying", ["gateway"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", about["at"])
    assert server.run(server.payload()).code == 0
    assert log.exists(), "somebody may still want to read it"
    assert server.remove(server.payload()).code == 0
    assert not kept.exists()


def test_of_a_first_release_each_container_is_kept_without_the_customers_secrets(server: Server) -> None:
    ran = server.run(server.payload(gateway="gateway:dying"))
    kept = server.root / "pro-1" / "failed"
    assert json.loads((kept / "about.json").read_text())["release"] == 1
    assert {one.name for one in kept.iterdir()} == {"about.json", "gateway.log", "proxy.log"}
    assert "token=[secret]" in ran.errors
    assert "token=[secret]" in (kept / "gateway.log").read_text()
