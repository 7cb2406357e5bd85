"""What `clawdet recover` says of what it did."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from clawdet_infra.cli import recover
from clawdet_infra.cli.main import app
from clawdet_infra.engine.recovery import Recovered


@pytest.mark.parametrize(
    ("done", "said"),
    [
        (Recovered(lock_freed=False, adopted=()), "prod: nothing to recover\n"),
        (Recovered(lock_freed=True, adopted=()), ""),
        (Recovered(lock_freed=False, adopted=("user123-server",)), ""),
    ],
)
def test_nothing_to_do_is_said(done: Recovered, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recover, "take_up", lambda *_: done)
    result = CliRunner().invoke(app, ["recover"])
    assert (result.exit_code, result.stdout) == (0, said)
    told = json.loads(CliRunner().invoke(app, ["recover", "--json"]).stdout)
    assert told == {"stack": "prod", "lockFreed": done.lock_freed, "adopted": list(done.adopted)}
