"""What the engine's own texts say."""

from __future__ import annotations

import pytest

from clawdet_infra.engine.output import printed_failure, reason


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (
            "error: Process exited with status 1: running \"# customer: x\n# plan: pro\nexec python3 -c '…'\":\n"
            "customer x: the gateway was not ready within 240 s\n",
            "customer x: the gateway was not ready within 240 s",
        ),
        (
            "error:   sdk-v2/provider2.go:572: sdk.helper_schema: server location disabled (resource_unavailable, "
            "7b2f): provider=hcloud@1.32.2\n",
            "server location disabled (resource_unavailable, 7b2f)",
        ),
        (
            "error: 1 error occurred:\n\t* creating urn:pulumi:prod::clawdet::hcloud:index/server:Server::x-server: "
            "1 error occurred:\n\t* sold out (resource_unavailable)\n\n",
            "sold out (resource_unavailable)",
        ),
        ("error: update failed", ""),
        ("error: failed to run remediation: context canceled", ""),
        ("error: resource registration failed\n", ""),
        ("", ""),
    ],
)
def test_a_message_is_what_the_provider_or_the_command_said(message: str, why: str) -> None:
    assert reason(message) == why


@pytest.mark.parametrize(
    ("printed", "why"),
    [
        (
            "Updating (prod):\n\nerror: the stack is currently locked by 1 lock(s). Wait for it.\n  file:///x\n",
            "the stack is currently locked by 1 lock(s). Wait for it.",
        ),
        (
            "error: no changes were expected but changes occurred\nerror: update failed\n",
            "no changes were expected but changes occurred",
        ),
        ("panic\nout of memory\n", "out of memory"),
        ("", ""),
    ],
)
def test_without_events_the_reason_is_in_what_was_printed(printed: str, why: str) -> None:
    assert printed_failure(printed).sentence == why
