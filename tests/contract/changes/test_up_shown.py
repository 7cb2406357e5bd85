"""What `clawdet up` shows, at a terminal of 80 columns and piped, of updates by the real engine."""

from __future__ import annotations

import re

import pytest

from tests.contract.changes.conftest import GROUP, Fleet
from tests.support.idle_commands import idle_commands
from tests.support.stack import ROOT, customer
from tests.support.terminal import Seen, at_a_terminal

pytestmark = [pytest.mark.engine, pytest.mark.timeout(400), GROUP]

PAGE = ROOT / "docs" / "how-to" / "update.md"
GRACE = customer("grace", "pro")


def transcript(number: int) -> list[str]:
    """The lines of a transcript in the documentation, without the command."""
    block = re.findall(r"```\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[number]
    return [line.rstrip() for line in block.splitlines() if not line.startswith("$ ")]


def form(lines: list[str], stack: str) -> list[str]:
    """Return lines without what differs from run to run: times, digests, the stack's name and the room for it."""
    text = "\n".join(lines).replace(f"Update {stack}?", "Update STACK?")
    text = re.sub(rf"\b{stack}\b", "STACK", text)
    text = re.sub(r"\b\d+ s\b", "N s", text)
    return [re.sub(r"  +", "  ", line.rstrip()) for line in text.splitlines()]


def up(fleet: Fleet, failing: dict[str, str] | None = None, *arguments: str) -> Seen:
    with idle_commands(failing=failing) as idle:
        return at_a_terminal(
            ["clawdet", "up", "-s", fleet.stack.name, *arguments],
            cwd=fleet.stack.folder,
            env={**fleet.stack.env, **idle},
            answers={"[y/N]:": "y"},
        )


def test_an_update_at_a_terminal_looks_as_the_documentation_says(fleet: Fleet) -> None:
    fleet.want([*BASELINE, GRACE])
    seen = up(fleet)
    assert seen.code == 0, seen.screen
    assert form(seen.screen.splitlines(), fleet.stack.name) == form(transcript(1), "local")
    assert "clawdet:index:" not in seen.written, "the engine's own text is hidden"
    assert "deploying" in seen.written or "health check" in seen.written, "what is under way was shown"


def test_a_failure_is_one_sentence_beside_who_is_well_and_the_status_has_it(fleet: Fleet) -> None:
    fleet.want([*BASELINE, GRACE])
    said = "customer user123: probe restarts failed: gateway does not stay up; last answer: none"
    fleet.want([ALICE, {**USER123, "tokenVersion": 2}, {**ACME, "tokenVersion": 2}])
    with idle_commands(failing={"user123-deployment": said}) as idle:
        fleet.stack.extra_env |= idle
        failed = fleet.stack.run("clawdet", "up", "-s", fleet.stack.name, "--yes")
        status = fleet.stack.run("clawdet", "status", "user123", "-s", fleet.stack.name)
    for name in idle:
        del fleet.stack.extra_env[name]
    assert failed.code not in (0, 2, 5), failed.output
