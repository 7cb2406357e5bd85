"""Stacks of the checkout, previewed through the `pulumi` command as an operator would."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clawdet_infra.changes.asking import Previewed
from clawdet_infra.engine_environment import engine_environment
from clawdet_infra.place import ROOT


@dataclass(frozen=True)
class CheckoutStack:
    """A stack with a file in a project's folder.

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
        """Do what the Automation API's `Stack.preview` does, as far as it is asked for here."""
        from pulumi.automation import CommandResult
        from pulumi.automation.errors import create_command_error

        # The log has the configuration as it is written, also where somebody has written a secret in plain text.
        with tempfile.TemporaryDirectory(prefix="clawdet-preview-") as folder:
            log = Path(folder) / "events"
            argv = ["pulumi", "preview", "--stack", self.name, "--event-log", str(log), *_QUIETLY]
            argv += [part for pack in policy_packs or () for part in ("--policy-pack", pack)]
            argv += ["--refresh"] if refresh else []
            done = self.run([*argv, *self.arguments])
            for event in _events(log):
                if on_event is not None:
                    on_event(event)
        if done.returncode != 0:
            raise create_command_error(CommandResult(stdout=done.stdout, stderr=done.stderr, code=done.returncode))

    def run(self, argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run a command in the stack's folder and return what it said."""
        quiet = {"PULUMI_DEBUG_COMMANDS": "true", "PULUMI_SKIP_UPDATE_CHECK": "true"}
        try:
            return subprocess.run(
                argv,
                cwd=self.root,
                env=engine_environment({**quiet, **self.environment}),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                check=False,
            )
        except FileNotFoundError:
            from clawdet_infra.inventory.errors import MISSING_ENGINE

            return subprocess.CompletedProcess(argv, 255, "", f"error: {MISSING_ENGINE}")


_QUIETLY = ("--non-interactive", "--color", "never", "--suppress-outputs", "--suppress-progress")


def open_stack(name: str, root: Path = ROOT, arguments: Sequence[str] = ()) -> Previewed:
    """Return a stack of the checkout, for `ask`; `arguments` are further ones for `pulumi preview`."""
    return CheckoutStack(name, root, arguments)


def _events(log: Path) -> list[Any]:
    """Return the engine's events from its log; there is none where it did not come that far."""
    from pulumi.automation import EngineEvent

    if not log.exists():
        return []
    with log.open(encoding="utf-8") as lines:
        return [EngineEvent.from_json(json.loads(line)) for line in lines if line.endswith("\n")]
