"""What the engine said of a customer, and what the caller can do about it."""

from __future__ import annotations

import pytest

from clawdet_infra.automation import CapacityError, DeploymentError, SetupError
from clawdet_infra.automation.outcome import error_of
from tests.unit.automation.rows import row

SAID = {
    "server type cx43 is sold out in fsn1 (resource_unavailable)": CapacityError,
    "server limit exceeded (resource_limit_exceeded)": CapacityError,
    "limit of requests reached (rate_limit_exceeded)": CapacityError,
    "unable to authenticate (unauthorized)": SetupError,
    "required output 'base' does not exist on stack prod": SetupError,
    "the gateway did not get ready: /readyz said 503": DeploymentError,
    "the registry does not answer": DeploymentError,
    "": DeploymentError,
}


@pytest.mark.parametrize(("said", "kind"), SAID.items())
def test_an_error_says_what_the_caller_can_do(said: str, kind: type[Exception]) -> None:
    error = error_of(row(error=said))
    assert type(error) is kind
    assert error.customer == "bob"
    assert error.action == ("call" if kind is SetupError else "retry")


def test_an_error_is_one_sentence_about_the_customer() -> None:
    assert str(error_of(row(error="the disk is full"))) == "customer bob: the disk is full."
    assert str(error_of(row(error="It is full."))) == "customer bob: It is full."
    assert str(error_of(row(error=""))) == "customer bob: the update failed, and the engine gave no reason."


def test_a_customer_is_not_named_twice() -> None:
    assert str(error_of(row(error="customer bob: the disk is full"))) == "customer bob: the disk is full."
    assert str(error_of(row(error="customer ada: in the way"))) == "customer bob: customer ada: in the way."
