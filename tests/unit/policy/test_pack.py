"""The pack as a whole: the real program passes, secrets stay inside, and what is not known yet waits."""

from __future__ import annotations

import json
import re

import pytest
from pulumi_policy import ResourceValidationPolicy, StackValidationPolicy
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE

from clawdet_infra.paths import ROOT
from policy.pack import POLICIES
from tests.components.fleets import API_KEY
from tests.unit.policy.world import Shown, messages, stack_messages

EACH = [policy for policy in POLICIES if isinstance(policy, ResourceValidationPolicy)]
STACK = [policy for policy in POLICIES if isinstance(policy, StackValidationPolicy)]


@pytest.mark.parametrize("policy", EACH, ids=lambda policy: policy.name)
def test_a_policy_lets_the_real_program_pass(policy: ResourceValidationPolicy, resources: dict[str, Shown]) -> None:
    assert messages(policy, *resources.values()) == []


@pytest.mark.parametrize("policy", STACK, ids=lambda policy: policy.name)
def test_a_policy_of_the_stack_lets_it_pass(policy: StackValidationPolicy, resources: dict[str, Shown]) -> None:
    assert stack_messages(policy, resources.values()) == []


def test_the_resources_of_the_tests_are_those_that_policies_are_about(resources: dict[str, Shown]) -> None:
    kinds = {one.kind for one in resources.values()}
    assert {"hcloud:index/server:Server", "hcloud:index/firewall:Firewall", "command:remote:Command"} <= kinds
    assert "services:" in _compose(resources["user123-deployment"])


def _compose(shown: Shown) -> str:
    seen: list[str] = []
    shown.with_compose(lambda content: seen.extend(f"{key}:" for key in content))
    return "".join(seen)


def test_what_a_preview_cannot_know_is_waited_for(resources: dict[str, Shown]) -> None:
    unknown = [
        one.having(stdin=UNKNOWN_STRING_VALUE, userData=UNKNOWN_STRING_VALUE, records=[{"value": UNKNOWN_STRING_VALUE}])
        for one in resources.values()
    ]
    assert [told for policy in EACH for told in messages(policy, *unknown)] == []
    assert [told for policy in STACK for told in stack_messages(policy, unknown)] == []


@pytest.mark.parametrize("stdin", ["not JSON", "{}", json.dumps({"name": API_KEY, "kind": "customer", "packed": "!"})])
def test_a_deployment_that_cannot_be_read_does_not_pass_and_is_not_shown(
    stdin: str, resources: dict[str, Shown]
) -> None:
    broken = resources["user123-deployment"].having(stdin=stdin)
    told = [message for policy in EACH for message in messages(policy, broken)]
    assert told
    assert API_KEY not in "".join(told)


def test_names_are_unique_and_documented() -> None:
    names = [policy.name for policy in POLICIES]
    page = (ROOT / "docs" / "reference" / "policies.md").read_text()
    assert re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE) == names


def test_descriptions_are_sentences() -> None:
    assert all(policy.description.endswith(".") for policy in POLICIES)
