"""Why a trial did not work."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TrialError(Exception):
    """A trial failed; the text is one sentence without secrets."""


class Interrupted(BaseException):
    """Somebody wants the trial to end now."""


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Raise Interrupted in here at the first SIGINT or SIGTERM; leave again as it was."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Interrupted(signal.Signals(number).name)

    with _handlers(stop):
        yield


@contextmanager
def deaf_to_signals() -> Iterator[None]:
    """Let nothing but SIGKILL end what is done in here."""
    with _handlers(signal.SIG_IGN):
        yield


@contextmanager
def _handlers(handler: signal.Handlers | object) -> Iterator[None]:
    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    for one in before:
        signal.signal(one, handler)  # type: ignore[arg-type]
    try:
        yield
    finally:
        for one, old in before.items():
            signal.signal(one, old)
