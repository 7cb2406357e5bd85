"""Calls that cannot succeed: what they say, that nothing was touched or the next call goes on, and no trace is left."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from clawdet_infra.engine.state_export import commands_of, resources_of
from tests.signups.conftest import DOMAIN, HOST, Signups, removal, signup
from tests.signups.test_agreement import expect_agreement
from tests.support.cloud import fault
from tests.support.stack import CANARY_API_KEY

pytestmark = [pytest.mark.cloud, pytest.mark.engine, pytest.mark.timeout(900)]

# Caddy's image starts, but it is not a gateway.
NO_GATEWAY = {"release": {"gateway": "docker.io/library/caddy:2.11.9"}}
NO_IMAGE = {"release": {"gateway": f"docker.io/library/nothing@sha256:{'1' * 64}"}}


def refused(said: dict[str, Any], kind: str, action: str, *parts: str) -> None:
    assert (said.get("kind"), said.get("action")) == (kind, action), said
    assert "\n" not in said["error"]
    assert "[clawdet:" not in said["error"], "codes are for programs"
    for part in parts:
        assert part in said["error"], said["error"]


REFUSED = [
    (signup("listed", "free"), "TakenError", "listed"),
    (signup("other", subdomain="listed"), "TakenError", "listed"),
    (signup("x.listed"), "TakenError", "lies below"),
    (signup("www"), "InputError", "reserved"),
    (signup("Bad_Name"), "InputError", "Bad_Name"),
    (signup("other", plan="gold"), "InputError", "gold"),
    (signup("other", api_key="nonsense"), "InputError", "anthropicApiKey"),
    (signup("other", options={"limits": {"memory": 100_000}}), "InputError", "limits"),
    (removal("listed"), "InputError", "Pulumi.base.yaml"),
]


def test_what_cannot_be_is_refused_before_anything_is_touched(signups: Signups) -> None:
    before = signups.servers(), signups.records(), signups.cells()
    said = {line["number"]: line for line in signups.call(*(call for call, _, _ in REFUSED)).lines() if "error" in line}
    for number, (_, kind, part) in enumerate(REFUSED):
        refused(said[number], kind, "fix_input", part)
    assert (signups.servers(), signups.records(), signups.cells()) == before
    assert "other" not in signups.listed()


def test_a_sold_out_server_and_an_image_that_cannot_be_had_are_told_and_others_finish_it(signups: Signups) -> None:
    wanted = signup("stan", options={"server": {"type": "cpx62"}, "protect": True})
    with fault(signups.cloud, "POST /servers", code="resource_unavailable", match={"name": "stan"}):
        refused(signups.one(wanted), "CapacityError", "retry", "stan")
    assert signups.listed()["stan"]["phase"] == "failed"
    without_image = signup("stan", options={"protect": True, **NO_IMAGE})
    refused(signups.one(without_image), "DeploymentError", "retry", "stan", "pulling the image")
    ended = signups.one(signup("stan", options={"protect": True}))
    assert ended["result"]["success"], ended
    # What keeps data from being lost by mistake is no hindrance to a removal that is meant.
    assert signups.one(removal("stan"))["result"]["existed"]
    expect_agreement(signups, {})


def test_a_neighbour_of_a_failed_customer_comes_up_and_the_failed_one_leaves_no_trace(signups: Signups) -> None:
    said = signups.call(signup("hal", "free", options=NO_GATEWAY), signup("nora", "free")).lines()
    [error] = [line for line in said if "error" in line]
    refused(error, "DeploymentError", "retry", "hal")
    [result] = [line["result"] for line in said if "result" in line]
    assert result["customer"] == "nora"
    cell = signups.listed()["nora"]["cell"]
    outputs = signups.stack.run("pulumi", "stack", "output", "customers", "--json", "--stack", cell).ok().output
    assert "https://nora." in outputs, "whoever looks after the fleet would not see the healthy one"
    state = {"deployment": signups.state_of(cell)}
    made = {one: {urn.rpartition("::")[2] for urn in commands_of(resources_of(state, one))} for one in ("nora", "hal")}
    assert made == {"nora": {"nora-agent", f"nora-deployment@{HOST}", "nora-health"}, "hal": {"hal-agent"}}
    failed = signups.listed()["hal"]
    assert signups.one(signup("omar", "free"))["result"]["success"]
    assert signups.listed()["hal"] == failed, "others do not wait until it has failed once more"
    assert signups.one(removal("hal"))["result"]["success"]
    gone = signups.call(removal("nora"), removal("omar")).lines()
    assert [line["result"]["success"] for line in gone if "result" in line] == [True, True]
    expect_agreement(signups, {})
    left = signups.server(HOST).run("ls /srv/clawdet; docker volume ls -q; docker network ls --format '{{.Name}}'")
    assert not [one for one in left.split() if one == "hal" or one.startswith(("hal_", "hal-"))]


def test_the_command_line_does_what_the_library_does(signups: Signups) -> None:
    def clawdet(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["clawdet", *arguments, "--stack", "base", "--json"],
            cwd=signups.stack.folder,
            env=signups.env,
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=400,
        )

    short = clawdet("provision", "--customer-id", "cleo", "--plan", "free", "--deadline", "5", "--stdin",
                    given=f'{{"apiKey": "{CANARY_API_KEY}"}}')  # fmt: skip
    assert short.returncode == 4, short.stdout + short.stderr
    assert "Call again" in short.stderr
    assert (json.loads(short.stdout)["code"], json.loads(short.stdout)["action"]) in (
        ("deadline", "retry"),
        ("busy", "retry"),
    )
    made = clawdet("provision", "--customer-id", "cleo", "--plan", "free", "--stdin",
                   given=f'{{"apiKey": "{CANARY_API_KEY}"}}')  # fmt: skip
    assert made.returncode == 0, made.stderr
    assert f'"accessUrl": "https://cleo.{DOMAIN}"' in made.stdout
    assert "healthy" in made.stderr
    assert clawdet("show", "cleo").returncode == 0
    gone = clawdet("deprovision", "cleo", "--yes")
    assert gone.returncode == 0, gone.stderr
    assert clawdet("show", "cleo").returncode == 2
    for done in (short, made, gone):
        assert CANARY_API_KEY not in done.stdout + done.stderr
