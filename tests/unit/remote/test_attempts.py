"""What a failed attempt printed: the line that says why, and what is kept of it."""

from __future__ import annotations

import json
import stat

import pytest

from clawdet_infra.remote.attempts import error_line
from tests.unit.remote.server import Server

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


def test_what_a_failed_attempt_printed_is_kept_without_secrets_until_the_next_one_fails(server: Server) -> None:
    server.run(server.payload())
    assert not (server.root / "pro-1" / "failed").exists()
    ran = server.run(server.payload(gateway="gateway:dying"))
    assert "its log says: Error: the machine says no, token=[secret]; the running release" in ran.errors
    kept = server.root / "pro-1" / "failed"
    log = kept / "gateway.log"
    assert (
        log.read_text()
        == "starting\nError: the machine says no, token=[secret]\n    at start (gateway.js:1)\nNode.js v22\n"
    )
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    about = json.loads((kept / "about.json").read_text())
    assert {**about, "at": ""} == {
        "release": 2,
        "image": "gateway:dying",
        "at": "",
        "error": about["error"],
        "services": ["gateway"],
    }
    assert about["error"].startswith("probe restarts failed: gateway does not stay up")
    assert server.run(server.payload()).code == 0
    assert log.exists(), "somebody may still want to read it"


def test_a_first_release_that_fails_and_one_that_fails_after_its_trial_are_kept_too(server: Server) -> None:
    server.run(server.payload(gateway="gateway:unready"))
    about = server.root / "pro-1" / "failed" / "about.json"
    assert json.loads(about.read_text())["release"] == 1
    assert "gateway" in json.loads(about.read_text())["services"]
    assert {one.name for one in about.parent.iterdir()} >= {"gateway.log", "proxy.log"}
