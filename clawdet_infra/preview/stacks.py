"""Stacks of the checkout, previewed through the `pulumi` command as an operator would."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clawdet_infra.engine.events import EventLog
from clawdet_infra.engine.process import FailedError, MissingEngineError, capture
from clawdet_infra.engine.temporary import private_folder
from clawdet_infra.paths import ROOT


@dataclass(frozen=True)
class CheckoutStack:
    """A stack with a file in a project's folder; see `clawdet_infra.preview.engine_plan.Previewed`.

    The selected stack of the folder stays as it is.  `arguments` are further ones for `pulumi preview`, and
    `environment` has variables that differ from this process's.
    """

    name: str
    root: Path = ROOT
    arguments: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    def preview(
        self,
        *,
        on_event: Callable[[Any], Any] | None = None,
        policy_packs: list[str] | None = None,
        refresh: bool | None = None,
    ) -> None:
        """Preview an update, and hand each event of the engine over when it has ended.  Raises FailedError."""
        # The log has the configuration as it is written, also where somebody has written a secret in plain text.
        with private_folder() as folder:
            log = folder / "events"
            arguments = ["preview", "--stack", self.name, "--event-log", str(log), *_QUIETLY]
            arguments += [part for pack in policy_packs or () for part in ("--policy-pack", pack)]
            arguments += ["--refresh"] if refresh else []
            try:
                done = capture([*arguments, *self.arguments], cwd=self.root, changes=self.environment)
            except MissingEngineError as error:
                raise FailedError(["preview"], 1, f"error: {error}") from None
            for event in EventLog(log).new():
                if on_event is not None:
                    on_event(event)
        if done.returncode != 0:
            raise FailedError(["preview"], done.returncode, done.stderr.strip() or done.stdout)

    def create(self) -> None:
        """Make the stack, in the state's backend.  Raises FailedError."""
        done = capture(["stack", "init", self.name], cwd=self.root, changes=self.environment)
        if done.returncode != 0:
            raise FailedError(["stack", "init"], done.returncode, done.stderr)


_QUIETLY = ("--suppress-outputs", "--suppress-progress")
