"""A stack whose program is a function of the test."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi import automation as auto

from tests.support.stack import wait_until

Program = Callable[[], None]


@dataclass
class Run:
    """One update: what it printed and what it did."""

    printed: list[str] = field(default_factory=list)
    operations: list[tuple[str, str]] = field(default_factory=list)
    """Operation and logical name of each step, in the order of their end, without those that change nothing."""
    shown: list[str] = field(default_factory=list)
    """The lines that the plugins have shown, the passing ones too."""
    on_shown: Callable[[str], None] = lambda line: None
    ask_outputs: Callable[[], Mapping[str, Any]] = dict

    @cached_property
    def outputs(self) -> Mapping[str, Any]:
        """What came out, which the engine is asked for when a test wants to know it; before the next update."""
        return self.ask_outputs()

    def note(self, event: auto.EngineEvent) -> None:
        """Takes in what the engine tells of."""
        if event.res_outputs_event:
            metadata = event.res_outputs_event.metadata
            operation = auto.OpType(metadata.op).value
            if operation != "same" and not metadata.type.startswith("pulumi:"):
                self.operations.append((operation, metadata.urn.rpartition("::")[2]))
        if event.diagnostic_event and event.diagnostic_event.message:
            self.shown.append(event.diagnostic_event.message.strip())
            self.on_shown(self.shown[-1])


class _Engine(auto.Stack):
    """A stack that runs the engine once an update: the Automation API asks it three times more for what came out."""

    def __init__(self, workspace: auto.LocalWorkspace) -> None:
        # Not the base's, which selects the stack: every command here names it.
        self.name, self.workspace = "test", workspace

    def plain_outputs(self) -> dict[str, Any]:
        shown = self._run_pulumi_cmd_sync(["stack", "output", "--json", "--show-secrets", "--stack", self.name])
        return dict(json.loads(shown.stdout))

    def outputs(self) -> auto.OutputMap:
        return {}

    def __repr__(self) -> str:
        return f"the stack in {self.workspace}"

    def info(self, show_secrets: bool | None = None) -> auto.UpdateSummary:
        now = datetime.now(UTC)
        return auto.UpdateSummary("not asked for", now, "", {}, {}, "not asked for", now)


@contextlib.contextmanager
def _closing_loops(program: Program) -> Iterator[Program]:
    """The program, whose event loop is closed at the end: the Automation API leaves it open where an update fails.

    It would be found by a garbage collection in the middle of another test, which would fail for it.
    """
    loops: list[asyncio.AbstractEventLoop] = []

    def noted() -> None:
        loops.append(asyncio.get_running_loop())
        program()

    try:
        yield noted
    finally:
        for loop in loops:
            # A thread of the Automation API may be about to end it.
            wait_until(lambda loop=loop: not loop.is_running(), seconds=60, what="the program ends")
            loop.close()


def _environment(folder: Path) -> dict[str, str]:
    return {
        "PULUMI_BACKEND_URL": (folder / "state").as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": "a passphrase of the tests",
        "SSH_AUTH_SOCK": "",  # Not the developer's own agent.
    }


def make_empty(folder: Path) -> auto.PulumiCommand:
    """Make a folder with a stack in which nothing is yet, for each test to copy."""
    (folder / "state").mkdir(parents=True)
    options = auto.LocalWorkspaceOptions(
        work_dir=str(folder),
        env_vars=_environment(folder),
        project_settings=auto.ProjectSettings("command", "python"),
    )
    made = auto.create_stack("test", project_name="command", program=lambda: None, opts=options)
    assert isinstance(made.workspace, auto.LocalWorkspace)
    return made.workspace.pulumi_command


class Stack:
    """A stack with a state of its own in a folder that does not exist yet; `empty` is copied to it."""

    def __init__(self, folder: Path, empty: Path, command: auto.PulumiCommand, *, ours: bool) -> None:
        self._ours = ours
        shutil.copytree(empty, folder)
        self._state = folder / "state"
        self.environment = _environment(folder)
        workspace = auto.LocalWorkspace(str(folder), env_vars=self.environment, pulumi_command=command)
        self._stack = _Engine(workspace)
        self._updates = 0

    def up(self, program: Program, on_shown: Callable[[str], None] = lambda line: None) -> Run:
        """Runs an update; raises `auto.CommandError` when it fails. Gives each line that is shown to `on_shown`."""
        self._updates += 1
        number = self._updates

        def outputs() -> Mapping[str, Any]:
            assert number == self._updates, "the stack has been updated since"
            return self._stack.plain_outputs()

        run = Run(on_shown=on_shown, ask_outputs=outputs)
        with _closing_loops(program) as closed:
            self._stack.up(program=closed, on_event=run.note, on_output=run.printed.append)
        return run

    @contextlib.contextmanager
    def failing(self, *texts: str, ours: str = "") -> Iterator[None]:
        """Expects an update to fail, with all of these texts in what it prints, and with `ours` if the plugin is."""
        with pytest.raises(auto.CommandError) as caught:
            yield
        expected = [*texts, ours if self._ours else ""]
        missing = [text for text in expected if text not in str(caught.value)]
        assert not missing, f"the failure does not say {missing}:\n{caught.value}"

    def destroy(self) -> None:
        """Deletes all resources."""
        self._stack.destroy()

    def preview(self, program: Program) -> dict[str, int]:
        """Counts the steps that an update would take, by operation."""
        with _closing_loops(program) as closed:
            summary = self._stack.preview(program=closed).change_summary
        counts = {auto.OpType(operation).value: count for operation, count in summary.items()}
        return {operation: count for operation, count in counts.items() if operation != "same"}

    def state(self) -> str:
        """The state file, as it lies on the disk."""
        return "".join(path.read_text("utf-8") for path in self._state.rglob("*.json"))

    def resource(self, name: str) -> dict[str, Any]:
        """What the state knows of a resource."""
        kept = json.loads((self._state / ".pulumi" / "stacks" / "command" / "test.json").read_text("utf-8"))
        resources = kept["checkpoint"]["latest"]["resources"]
        [found] = [item for item in resources if item["urn"].endswith(f"::{name}")]
        return dict(found)


def export(**outputs: pulumi.Input[Any]) -> None:
    """Exports outputs of the program."""
    for name, value in outputs.items():
        pulumi.export(name, value)
