"""What the engine's answer means, by the codes in it and not by our words."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from clawdet_infra.config import ConfigurationError, Problem, settings
from clawdet_infra.engine.process import FailedError
from clawdet_infra.error_line import FailureCode, marked
from clawdet_infra.preview.engine_plan import Planned, ask


class Failing:
    """A stack whose preview ends with these errors."""

    def __init__(self, *messages: str) -> None:
        self._messages = messages

    def preview(self, *, on_event: Callable[[Any], Any] | None = None, **_: object) -> None:
        assert on_event is not None
        nothing = dict.fromkeys(("resource_pre_event", "res_outputs_event", "policy_event", "summary_event"))
        for message in self._messages:
            on_event(SimpleNamespace(**nothing, diagnostic_event=SimpleNamespace(severity="error", message=message)))
        raise FailedError(["preview"], 255, "error: preview failed")


def refused(*problems: Problem) -> str:
    """What the program says of a configuration, as the engine hands it on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "read", lambda: (_ for _ in ()).throw(ConfigurationError(problems)))
        with pytest.raises(Exception) as caught:
            settings.load()
    return f"error: {caught.value}\n"


def answered(*messages: str) -> Planned:
    return ask(Failing(*messages))


def test_a_configuration_that_the_program_refuses_is_told_problem_by_problem() -> None:
    planned = answered(
        refused(Problem(field="zone", message="is odd."), Problem(field="domain", message="is missing."))
    )
    assert planned.misconfigured
    assert planned.errors == ("domain: is missing.", "zone: is odd.")


def test_other_words_change_nothing() -> None:
    planned = answered(f"error: {marked(FailureCode.CONFIGURATION, 'Fix these errors:')}\n  - zone: is odd.\n")
    assert planned.misconfigured
    assert planned.errors == ("zone: is odd.",)


@pytest.mark.parametrize("code", [None, FailureCode.SETUP, FailureCode.IMAGE])
def test_the_words_alone_do_not_make_it_the_configuration(code: FailureCode | None) -> None:
    text = "The configuration has 1 problem: the image was not found"
    planned = answered(f"error: {marked(code, text) if code else text}\n")
    assert not planned.misconfigured
    assert planned.errors[0].removeprefix("error: ") == text, "and no code is shown"
