"""Commands run with a selected stack, as an operator's do."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def selected(monkeypatch: pytest.MonkeyPatch) -> str:
    """The stack that is selected."""
    monkeypatch.setenv("PULUMI_STACK", "prod")
    return "prod"
