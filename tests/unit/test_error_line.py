"""Error codes that pass through text of the engine and come out again."""

from __future__ import annotations

from importlib import import_module

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawdet_infra.agent.errors import DeploymentError
from clawdet_infra.engine.errors import explain
from clawdet_infra.engine.output import Failure, failure, printed_failure, reason
from clawdet_infra.error_line import FailureCode, marked, read

LINES = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=80).map(str.strip)
WRAPPED = (
    "{}",
    "error: {}",
    "error: {}\n",
    "error: Process exited with status 1: running \"# customer: x\n# plan: pro\nexec python3 -c '…'\":\n{}\n",
)
"""What the engine makes of a line."""


@given(st.sampled_from(FailureCode), LINES, st.sampled_from(WRAPPED))
def test_a_code_and_its_sentence_survive_the_engine(code: FailureCode, text: str, wrapped: str) -> None:
    assert read(wrapped.format(marked(code, text)))[0] is code
    assert failure(wrapped.format(marked(code, f"customer x: {text}."))) == Failure(f"customer x: {text}.", code)


@pytest.mark.parametrize(
    "text",
    [
        "customer x: its log says: [clawdet:capacity] sold out",
        "the file clawdet:setup is missing",
        "[clawdet:Capacity] sold out",
        "[clawdet:] sold out",
        "",
    ],
)
def test_what_is_quoted_within_a_line_is_no_code(text: str) -> None:
    assert read(text) == (None, text)
    assert read(marked(FailureCode.NOT_READY, text)) == (FailureCode.NOT_READY, text)


def test_a_code_of_a_newer_release_is_unknown_and_not_shown() -> None:
    assert read("[clawdet:of-next-year] it broke") == (FailureCode.UNKNOWN, "it broke")


def test_problems_of_a_configuration_stay_with_it() -> None:
    text = marked(FailureCode.CONFIGURATION, "Two are wrong:\n  - zone: is odd.\n  - domain: is missing.")
    assert read(f"error: {text}") == (
        FailureCode.CONFIGURATION,
        "Two are wrong:\n  - zone: is odd.\n  - domain: is missing.",
    )


def test_nobody_is_shown_a_code() -> None:
    line = f"error: {marked(FailureCode.SETUP, 'the host is not up')}"
    assert reason(line) == "the host is not up"
    assert printed_failure(f"Updating (prod):\n{line}\nerror: update failed\n").sentence == "the host is not up"
    assert explain("prod", f"code: 255\nstderr: {line}\n") == "stack prod cannot be read: the host is not up"


def test_every_error_of_a_deployment_has_a_code() -> None:
    for name in ("errors", "deploy", "edge", "preflight", "restart", "server"):
        import_module(f"clawdet_infra.agent.{name}")
    kinds = [DeploymentError, *DeploymentError.__subclasses__()]
    assert len({one.code for one in kinds}) == len(kinds)
