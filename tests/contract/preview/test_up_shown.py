"""What `clawdet up` shows, at a terminal of 80 columns and piped, of updates by the real engine."""

from __future__ import annotations

import json
import re

import pytest

from tests.contract.preview.conftest import ACME, ALICE, GROUP, USER123, Fleet
from tests.support.idle_commands import idle_commands
from tests.support.stack import Result, customer
from tests.support.terminal import at_a_terminal

pytestmark = [pytest.mark.engine, pytest.mark.timeout(400), GROUP]

GRACE = customer("grace", "pro")
SAID = "customer user123: probe restarts failed: gateway does not stay up; last answer: none"


def lasting(text: str) -> str:
    """Return a text without what differs from run to run."""
    return re.sub(r" *\b\d+(?:\.\d)? s\b", " N s", text)


def status(fleet: Fleet, identity: str) -> Result:
    return fleet.stack.run("clawdet", "show", identity, "-s", fleet.stack.name)


def token(fleet: Fleet, identity: str) -> str:
    shown = fleet.stack.run("clawdet", "token", "show", identity, "-s", fleet.stack.name, "--json")
    [one] = json.loads(shown.ok().output)
    return str(one["gatewayToken"])


def test_a_failure_is_one_sentence_at_a_terminal_and_in_the_status_until_an_update_succeeds(fleet: Fleet) -> None:
    rotated, later = {**ALICE, "tokenVersion": 2}, {**USER123, "tokenVersion": 2, "wave": 1}
    former = token(fleet, "alice")
    fleet.want([rotated, later, ACME], rollout={"waves": [50, 50]})
    with idle_commands(failing={"user123-deployment": SAID}) as idle:
        seen = at_a_terminal(
            ["clawdet", "up", "-s", fleet.stack.name],
            cwd=fleet.stack.folder,
            env={**fleet.stack.env, **idle},
            answers={"[y/N]:": "y"},
        )
    assert seen.code not in (0, 2, 5), seen.screen
    lines = lasting(seen.screen).splitlines()
    assert "Update test? [y/N]: y" in lines, seen.screen
    asked = lines.index("Update test? [y/N]: y")
    assert any(line.startswith("user123 ") and "changed" in line for line in lines[:asked]), "the report is above"
    assert lines[asked + 1 :] == [
        "alice    changed, healthy after N s  https://alice.clawdet.test",
        "user123  failed: probe restarts failed: gateway does not stay up; last answer:",
        "         none",
        "         what it printed: clawdet logs --failed user123",
        "error: the update of test failed after N s; what it had made stays",
        "Pulumi's own text: .clawdet/updates/test.log",
    ]
    assert "Process exited with status" in (fleet.stack.folder / ".clawdet/updates/test.log").read_text()
    failed = status(fleet, "user123")
    assert failed.code == 4, failed.output
    assert re.search(r"^phase +failed$", failed.output, re.MULTILINE)
    assert re.search(rf"^error +{re.escape(SAID.partition(': ')[2])}$", failed.output, re.MULTILINE)
    assert status(fleet, "alice").code == 0
    assert token(fleet, "alice") != former, "what is on the server, though the update failed"
    present = token(fleet, "alice"), token(fleet, "user123")

    fleet.want([rotated, later, ACME, GRACE], rollout={"waves": [50, 50]})
    done = fleet.up()
    assert done.code == 0, done.output
    shown = lasting(done.output).splitlines()
    for step in ("server", "DNS", "deployment", "healthy"):
        assert f" N s  grace  {step}" in shown
    assert "grace  new, healthy after N s  https://grace.clawdet.test" in shown
    assert "user123  changed, healthy after N s  https://user123.clawdet.test" in shown
    assert shown[-1] == "test is up to date after N s: 2 customers changed."
    assert "clawdet:index:" not in done.output, "the engine's own text is not there"
    assert status(fleet, "user123").code == 0
    assert (token(fleet, "alice"), token(fleet, "user123") == present[1]) == (present[0], False)
