"""`clawdet recover`: take up what a killed update left behind."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

import typer

from clawdet_infra.cli import project
from clawdet_infra.cli.output import echo
from clawdet_infra.cli.project import CommandError, Exit, capture
from clawdet_infra.driver.recovering import CloudError, LockedError, Recovered, refuse_locked
from clawdet_infra.driver.recovering import recover as take_up
from clawdet_infra.recovery import PendingCreate

T = TypeVar("T")

_LOOK_SECONDS = 0.5


def recover(
    stack: Annotated[str, typer.Option("--stack", "-s", help="The stack whose update was killed.")],
    json_output: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
) -> None:
    """Free the lock of a dead update and take over what it had made already.

    Does nothing where there is nothing to recover.  Never touches the lock of an update that is still running.

    Example: clawdet recover -s prod
    """

    done = run(stack)
    if json_output:
        project.print_json({"stack": stack, "lock_freed": done.lock_freed, "adopted": list(done.adopted)})


def run(stack: str, wait: Wait | None = None) -> Recovered:
    """Recover from a killed update; with `wait`, wait for an update that runs.

    Prints what is wrong and raises typer.Exit where the stack is locked, or cannot be recovered.
    """

    def pulumi(arguments: Sequence[str]) -> str:
        return capture(["pulumi", *arguments])

    def find(creates: Sequence[PendingCreate]) -> dict[str, str]:
        from clawdet_infra.cli.stack import fleet_of
        from clawdet_infra.driver.recovering import find_at
        from clawdet_infra.fleet.provider import HETZNER
        from clawdet_infra.layout import fleet_label

        fleet = fleet_of(stack)
        labels = {"clawdet-fleet": fleet_label(fleet.domain)}
        return find_at(fleet.cloud.endpoint or HETZNER, fleet.cloud.token.get_secret_value(), labels)(creates)

    try:
        return (wait or Wait()).until_free(
            stack, lambda: take_up(stack, pulumi, find, lambda text: echo(text, err=True))
        )
    except (CommandError, LockedError, CloudError) as error:
        echo(f"error: {error}", err=True)
        raise typer.Exit(Exit.ERROR) from None


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
            except LockedError as error:
                echo(f"error: {error}", err=True)
                raise typer.Exit(Exit.ERROR) from None

    def until_free(self, stack: str, call: Callable[[], T]) -> T:
        """Return what `call` does, which is tried again for as long as it raises LockedError and there is time.

        Prints for whom it waits.  Raises the last LockedError.
        """
        while True:
            try:
                return call()
            except LockedError as error:
                left = self._until - time.monotonic()
                if left <= 0:
                    if self._seconds:
                        echo(f"error: {stack} was still locked after {self._seconds:g} s.", err=True)
                    raise
                if self._said != str(error.lock.path):
                    self._said = str(error.lock.path)
                    echo(
                        f"Waiting at most {left:.0f} s for {error.lock.holder}, which has been updating {stack} since "
                        f"{error.lock.taken:%F %T} UTC.",
                        err=True,
                    )
            time.sleep(min(_LOOK_SECONDS, left))
