"""What a refresh found, told by customer."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from clawdet_infra.preview.analyze import stack_report
from clawdet_infra.preview.as_json import as_json
from clawdet_infra.preview.engine_plan import ask
from clawdet_infra.preview.markdown import as_markdown
from clawdet_infra.preview.report import Report
from clawdet_infra.preview.text import as_text
from clawdet_infra.resources import SERVER

CUSTOMER = "clawdet:index:Customer"
URN = f"urn:pulumi:prod::clawdet::{CUSTOMER}"
ADDRESS = "5.75.200.7"


def state(kind: str, urn: str, **outputs: str) -> SimpleNamespace:
    return SimpleNamespace(
        type=kind, urn=urn, parent=f"{URN}::ada", custom=True, protect=False, inputs={"name": "ada"}, outputs=outputs
    )


class Refreshed:
    """A stack of one server, which had one status in the state and has another at the provider."""

    def __init__(self, before: str, now: str) -> None:
        self.urn = f"{URN}$clawdet:index:Server${SERVER}::ada-server"
        self.old = state(SERVER, self.urn, name="ada", status=before, ipv4Address=ADDRESS)
        self.new = state(SERVER, self.urn, name="ada", status=now, ipv4Address=ADDRESS)

    def preview(self, *, on_event: Callable[[Any], Any] | None = None, **_: object) -> None:
        assert on_event is not None
        found = {"urn": self.urn, "diffs": None, "keys": None, "detailed_diff": None}
        refreshed = SimpleNamespace(op="refresh", old=self.old, new=self.new, **found)
        same = SimpleNamespace(op="same", old=self.new, new=self.new, **found)
        nothing = dict.fromkeys(("resource_pre_event", "policy_event", "diagnostic_event", "summary_event"))
        on_event(SimpleNamespace(**nothing, res_outputs_event=SimpleNamespace(metadata=refreshed)))
        told = {**nothing, "resource_pre_event": SimpleNamespace(metadata=same)}
        on_event(SimpleNamespace(**told, res_outputs_event=None))


def report(before: str, now: str) -> Report:
    planned = ask(Refreshed(before, now), refresh=True)
    return Report(stacks=(stack_report("prod", planned, prices="not asked"),))


@pytest.mark.parametrize(("before", "now"), [("running", "off"), ("off", "off"), ("running", "stopping")])
def test_a_server_that_is_off_is_drift_also_where_the_state_says_so_already(before: str, now: str) -> None:
    told = report(before, now)
    assert told.changes
    [drifted] = as_json(told)["stacks"][0]["drifted"].values()
    assert drifted == ["ada-server is off"]
    printed = StringIO()
    Console(file=printed, width=200).print(as_text(told))
    assert "ada-server is off" in printed.getvalue()
    markdown = as_markdown(told)
    assert "ada-server is off" in markdown
    assert ADDRESS not in markdown


@pytest.mark.parametrize(("before", "now"), [("running", "running"), ("off", "running"), ("starting", "running")])
def test_a_server_that_runs_is_none(before: str, now: str) -> None:
    assert not report(before, now).changes
