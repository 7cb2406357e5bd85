"""Why a preview failed: the cause, without what the engine says besides."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from clawdet_infra.engine.process import FailedError
from clawdet_infra.preview.engine_plan import ask

MISSING = "the image registry.test/openclaw:2099.1.1 was not found"
ENDED = "an unhandled error occurred: program exited with non-zero exit code: 1"
EVENTS = ("resource_pre_event", "res_outputs_event", "policy_event", "summary_event")


class Failed:
    """A stack whose preview ends with errors."""

    def __init__(self, *messages: str) -> None:
        self._messages = messages

    def preview(self, *, on_event: Callable[[Any], Any] | None = None, **_: object) -> None:
        assert on_event is not None
        for message in self._messages:
            told = SimpleNamespace(severity="error", message=f"{message}\n")
            on_event(SimpleNamespace(**dict.fromkeys(EVENTS), diagnostic_event=told))
        raise FailedError(["preview"], 255, f"error: {self._messages[-1]}")


@pytest.mark.parametrize("messages", [(MISSING, ENDED), (ENDED, MISSING), (MISSING,)])
def test_that_the_program_ended_is_left_out_where_it_says_why(messages: tuple[str, ...]) -> None:
    assert ask(Failed(*messages)).errors == (MISSING,)


def test_a_program_that_ended_without_a_word_is_an_error_all_the_same() -> None:
    assert ask(Failed(ENDED)).errors == ("the engine failed and did not say why",)
