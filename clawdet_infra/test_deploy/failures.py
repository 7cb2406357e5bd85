"""Why a trial did not work."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_NUMBERS = (signal.SIGINT, signal.SIGTERM)


class TrialError(Exception):
    """A trial failed; the text is one sentence without secrets."""


class Interrupted(BaseException):
    """Somebody wants the trial to end now."""


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Raise Interrupted in here at the first SIGINT or SIGTERM, and ignore those that follow; leave again as it was."""

    def stop(number: int, frame: FrameType | None) -> None:
        # A second one must not cut off what is done because of the first, such as stopping an engine.
        for one in _NUMBERS:
            signal.signal(one, signal.SIG_IGN)
        raise Interrupted(signal.Signals(number).name)

    with _handlers(stop):
        yield


@contextmanager
def deaf_to_signals() -> Iterator[None]:
    """Let nothing but SIGKILL end what is done in here, except where `stopped_by_signals` is inside of it."""
    with _handlers(signal.SIG_IGN):
        yield


@contextmanager
def _handlers(handler: signal.Handlers | object) -> Iterator[None]:
    before = {one: signal.getsignal(one) for one in _NUMBERS}
    for one in before:
        signal.signal(one, handler)  # type: ignore[arg-type]
    try:
        yield
    finally:
        for one, old in before.items():
            signal.signal(one, old)
