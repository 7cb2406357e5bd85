"""`clawdet recover`: take up what a killed update left behind."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from clawdet_infra.cli.instances import Json
from clawdet_infra.cli.output import ErrorCode, echo, error, fail, print_json
from clawdet_infra.cli.project import CommandError
from clawdet_infra.cli.stack import Stack, choose_stack
from clawdet_infra.engine import process
from clawdet_infra.engine.pending_operations import PendingCreate
from clawdet_infra.engine.recovery import CloudError, LockedError, Recovered, refuse_locked
from clawdet_infra.engine.recovery import recover as take_up
from clawdet_infra.resources import FLEET_LABEL

T = TypeVar("T")

_LOOK_SECONDS = 0.5


def recover(stack: Stack = None, json_output: Json = False) -> None:
    """Free the lock of a dead update and take over what it had made already.

    Says so if nothing has to be recovered.  Never touches the lock of an update that is still running.

    Example: clawdet recover -s prod
    """
    name = choose_stack(stack)
    done = run(name)
    if json_output:
        print_json({"stack": name, "lockFreed": done.lock_freed, "adopted": done.adopted})
    elif not done.lock_freed and not done.adopted:
        echo(f"{name}: nothing to recover")


def run(stack: str, wait: Wait | None = None) -> Recovered:
    """Recover from a killed update; with `wait`, wait for an update that runs.

    Prints what is wrong and raises typer.Exit where the stack is locked, or cannot be recovered.
    """

    def find(creates: Sequence[PendingCreate]) -> dict[str, str]:
        from clawdet_infra.cli.stack import fleet_of
        from clawdet_infra.engine.recovery import find_at
        from clawdet_infra.layout import fleet_label

        fleet = fleet_of(stack)
        labels = {FLEET_LABEL: fleet_label(fleet.domain)}
        return find_at(fleet.cloud.api, fleet.cloud.token.get_secret_value(), labels)(creates)

    try:
        return (wait or Wait()).until_free(
            stack, lambda: take_up(stack, process.output, find, lambda text: echo(text, err=True))
        )
    except LockedError as locked:
        fail(str(locked), code=ErrorCode.LOCKED)
    except (CommandError, process.EngineError) as failed:
        fail(str(failed), code=ErrorCode.ENGINE)
    except CloudError as failed:
        fail(str(failed), code=ErrorCode.PROVIDER)


def _say(text: str) -> None:
    echo(text, err=True)


class Wait:
    """Waits for other updates of a stack, `seconds` in total from now on; by default not at all."""

    def __init__(self, seconds: float = 0) -> None:
        self._seconds = seconds
        self._until = time.monotonic() + seconds
        self._said = ""

    @property
    def waits(self) -> bool:
        """Whether there is any time to wait."""
        return self._seconds > 0

    def until_unlocked(self, stack: str) -> None:
        """Wait while another process updates a stack, if there is any time to wait; ends the command after that."""
        if self.waits:
            try:
                self.until_free(stack, lambda: refuse_locked(stack))
            except LockedError as locked:
                fail(str(locked), code=ErrorCode.LOCKED)

    def until_free(self, stack: str, call: Callable[[], T]) -> T:
        """Return what `call` does, which is tried again for as long as it raises LockedError and there is time.

        Prints for whom it waits.  Raises the last LockedError.
        """
        while True:
            try:
                return call()
            except LockedError as locked:
                left = self._until - time.monotonic()
                if left <= 0:
                    if self._seconds:
                        error(f"{stack} was still locked after {self._seconds:g} s.", ErrorCode.LOCKED)
                    raise
                if self._said != str(locked.lock.path):
                    self._said = str(locked.lock.path)
                    echo(
                        f"Waiting at most {left:.0f} s for {locked.lock.holder}, which has been updating {stack} since "
                        f"{locked.lock.taken:%F %T} UTC.",
                        err=True,
                    )
            time.sleep(min(_LOOK_SECONDS, left))
