"""What the nightly check says, from what the commands that it runs say."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pytest

from clawdet_infra.ci.commands import Done
from clawdet_infra.ci.drift import drift
from clawdet_infra.ci.report import Report
from clawdet_infra.ci.run import Forge, Run

STRAY = {"server": "shared-1", "deployment": "alice", "containers": 2, "volumes": ["alice_state"], "folder": None}
WHY = "shared-1 (192.0.2.7) takes no SSH connection"


def checked(preview: int, strays: int, *found: dict[str, object], failures: dict[str, str] | None = None) -> Report:
    said = json.dumps({"strays": found, "failures": failures or {}})

    def commands(arguments: Sequence[str], _: Mapping[str, str], *, quiet: bool = False) -> Done:
        assert quiet, "what servers have is not for a public log"
        return (
            Done(code=strays, output=said, messages="")
            if arguments[1] == "strays"
            else Done(code=preview, output="a report", messages="")
        )

    environment = {"PULUMI_CONFIG_PASSPHRASE": "passphrase", "HCLOUD_TOKEN": "token", "PULUMI_BACKEND_URL": "file://."}
    run = Run(forge=Forge.GITHUB, commit="c" * 40, number=1, page="https://forge.test/job/1")
    return drift(run, ["prod"], environment, commands)


@pytest.mark.parametrize(("preview", "code"), [(0, 7), (7, 7), (5, 7), (1, 1)])
def test_what_no_stack_declares_is_drift(preview: int, code: int) -> None:
    report = checked(preview, 7, STRAY)
    assert report.code == code
    assert "\n- shared-1: alice, 2 containers, volumes `alice_state`" in report.text


def test_servers_that_cannot_be_asked_are_told_and_no_drift() -> None:
    report = checked(0, 1, failures={"shared-1": WHY})
    assert report.code == 0
    assert "These servers could not be asked for strays: `shared-1`." in report.text
    assert "192.0.2.7" not in report.text, "the issue may be public"


def test_a_fleet_without_strays_says_nothing_of_them() -> None:
    assert "strays" not in checked(0, 0).text
