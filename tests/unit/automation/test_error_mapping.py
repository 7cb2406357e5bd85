"""What the engine said of a customer, and what the caller can do about it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawdet_infra.automation import errors
from clawdet_infra.automation.error_mapping import code_of, error_of, provider_failure
from clawdet_infra.automation.errors import AutomationError, CapacityError, Code, DeploymentError, SetupError
from clawdet_infra.engine.output import Failure, failure
from clawdet_infra.error_line import FailureCode, marked
from tests.unit.automation.rows import row

OF_OTHERS = {
    "server type cx43 is not available in fsn1 (resource_unavailable)": Code.CAPACITY,
    "server limit exceeded (resource_limit_exceeded, 7b2f)": Code.CAPACITY,
    "limit of requests reached (rate_limit_exceeded)": Code.CAPACITY,
    "unable to authenticate (unauthorized)": Code.SETUP,
    "get stack: incorrect passphrase": Code.SETUP,
    "dial tcp 192.0.2.7:22: connection refused": Code.DEPLOYMENT,
    "": Code.DEPLOYMENT,
}
"""What the provider and the engine write."""

CODES = {
    FailureCode.CONFIGURATION: Code.SETUP,
    FailureCode.SETUP: Code.SETUP,
    FailureCode.POLICY: Code.SETUP,
    FailureCode.CAPACITY: Code.CAPACITY,
}
"""What our own programs report; every other code is about the customer's deployment."""

WORDS = st.sampled_from(
    ["resource_unavailable", "(rate_limit_exceeded)", "policy", "forbidden", "passphrase", "no stack named", "sold out"]
)
SENTENCES = st.lists(WORDS | st.text(st.characters(exclude_categories=["C", "Z"]), max_size=8)).map(" ".join)


@pytest.mark.parametrize(("said", "code"), OF_OTHERS.items())
def test_what_others_write_is_known_by_their_own_codes_and_words(said: str, code: Code) -> None:
    assert code_of(failure(said)) is code


@given(st.sampled_from(FailureCode), SENTENCES)
def test_of_our_own_failures_the_code_decides_whatever_the_words(code: FailureCode, sentence: str) -> None:
    assert code_of(Failure(sentence, code)) is CODES.get(code, Code.DEPLOYMENT)


@given(SENTENCES)
def test_what_a_gateway_writes_into_its_log_decides_nothing(log: str) -> None:
    text = marked(FailureCode.NOT_READY, f"customer bob: gateway does not stay up; last answer: its log says: {log}")
    found = failure(f"error: Process exited with status 1: running 'python3':\n{text}\n")
    assert code_of(found) is Code.DEPLOYMENT, "to try again is right, and no person has to look"


@pytest.mark.parametrize(
    ("code", "kind"),
    [("capacity", CapacityError), ("setup", SetupError), ("deployment", DeploymentError), ("", DeploymentError)],
)
def test_a_customer_whose_update_failed_has_the_error_of_the_code(code: str, kind: type[AutomationError]) -> None:
    error = error_of(row(error="sold out, and the passphrase is wrong (forbidden)", error_code=code))
    assert type(error) is kind
    assert error.customer == "bob"
    assert error.action == ("escalate" if kind is SetupError else "retry")


def test_an_error_code_of_the_provider_means_the_same_wherever_it_is_met() -> None:
    assert provider_failure("placement_error") is FailureCode.CAPACITY
    assert provider_failure("token_readonly") is FailureCode.SETUP
    assert provider_failure("of_next_year") is FailureCode.DEPLOYMENT


def test_every_error_of_the_library_has_a_code_of_its_own() -> None:
    kinds = [
        one
        for one in vars(errors).values()
        if isinstance(one, type) and issubclass(one, AutomationError) and one is not AutomationError
    ]
    assert {one.code for one in kinds} == set(Code)
    assert len({one.code for one in kinds}) == len(kinds)


def test_an_error_is_one_sentence_about_the_customer() -> None:
    assert str(error_of(row(error="the disk is full"))) == "customer bob: the disk is full."
    assert str(error_of(row(error="It is full."))) == "customer bob: It is full."
    assert str(error_of(row(error=""))) == "customer bob: the update failed, and the engine gave no reason."


def test_a_customer_is_not_named_twice() -> None:
    assert str(error_of(row(error="customer bob: the disk is full"))) == "customer bob: the disk is full."
    assert str(error_of(row(error="customer ada: in the way"))) == "customer bob: customer ada: in the way."
