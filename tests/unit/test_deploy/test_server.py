"""What a trial on a server that is there sends to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clawdet_infra import render
from clawdet_infra.config import load_fleet
from clawdet_infra.layout import plan_layout
from clawdet_infra.test_deploy import server
from clawdet_infra.test_deploy.customer import trial_fleet
from clawdet_infra.test_deploy.failures import TrialError
from clawdet_infra.test_deploy.ssh import Ssh
from tests.unit.render.examples import PINNED, customer, raw_fleet

NAME = "test-deploy-0a1b2c3d"
PLANS = ["free", "pro", "enterprise"]


def planned(plan: Any) -> server._Plan:
    return server._plan(plan_layout(trial_fleet(load_fleet(raw_fleet()), plan, NAME, own_domain=True), label=NAME))


class Says(Ssh):
    """A server that says one thing, whatever it is asked."""

    said = ""

    def run(self, command: str, stdin: str = "", **rest: object) -> str:
        return self.said


@pytest.mark.parametrize("plan", PLANS)
def test_the_deployment_is_the_program_that_every_customer_is_deployed_by(plan: str) -> None:
    for command, payload in planned(plan).deployments:
        assert command.endswith(render.deploy_command("", server._agent()))
        assert json.loads(payload)["kind"] in ("customer", "host")


@pytest.mark.parametrize("plan", PLANS)
def test_secrets_are_in_what_goes_by_stdin_and_in_nothing_else(plan: str) -> None:
    one = planned(plan)
    api_key = one.customer.customer.anthropic_api_key.get_secret_value()
    assert set(one.secrets) == {one.token, one.token[:16], api_key}
    assert any(all(secret in payload for secret in one.secrets) for _, payload in one.deployments)
    kept = json.dumps(one.removals) + "".join(command for command, _ in one.deployments)
    assert not any(secret in kept for secret in one.secrets), "the removal's payload lies on disk"
    assert one.token not in repr(one.customer)


def test_a_free_customers_edge_is_deployed_before_it_and_removed_after_it() -> None:
    one = planned("free")
    assert [json.loads(payload)["project"] for _, payload in one.deployments] == ["clawdet-edge", NAME]
    assert [json.loads(payload)["project"] for payload in one.removals] == [NAME, "clawdet-edge"]


@pytest.mark.parametrize(("word", "meaning"), [("ports", "listens on its port"), ("edge", "customers share")])
def test_a_server_that_has_customers_is_left_alone(tmp_path: Path, word: str, meaning: str) -> None:
    taken = Says("192.0.2.7", tmp_path)
    object.__setattr__(taken, "said", f"{word}\n")
    with pytest.raises(TrialError, match=meaning):
        server._look(taken)


def test_a_server_without_anything_is_taken(tmp_path: Path) -> None:
    server._look(Says("192.0.2.7", tmp_path))


@pytest.mark.parametrize("plan", ["pro", "enterprise"])
def test_a_proxy_signs_for_itself_only_where_it_is_told_to(plan: str) -> None:
    for own_ca in (True, False):
        files = render.bundle(customer(plan), images=PINNED, own_ca=own_ca).files
        [caddyfile] = [file.content for path, file in files.items() if path.endswith("/Caddyfile")]
        assert ("local_certs" in caddyfile) == own_ca
        assert ("skip_install_trust" in caddyfile) == own_ca, "its system is read-only"
