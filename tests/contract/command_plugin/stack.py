"""A stack whose program is a function of the test."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi import automation as auto

Program = Callable[[], None]

quiet = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
"""After a failed update, Pulumi's Automation API leaves an event loop open, which Python complains of at any time."""


@dataclass
class Run:
    """One update: what it printed, what it did and what came out."""

    outputs: Mapping[str, Any] = field(default_factory=dict)
    printed: list[str] = field(default_factory=list)
    operations: list[tuple[str, str]] = field(default_factory=list)
    """Operation and logical name of each step, in the order of their end, without those that change nothing."""
    shown: list[str] = field(default_factory=list)
    """The lines that the plugins have shown, the passing ones too."""
    on_shown: Callable[[str], None] = lambda line: None

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


class Stack:
    """A stack with a state of its own in a folder."""

    def __init__(self, folder: Path, *, ours: bool) -> None:
        self._ours = ours
        self._state = folder / "state"
        self._state.mkdir()
        self.environment: dict[str, str] = {
            "PULUMI_BACKEND_URL": self._state.as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "a passphrase of the tests",
            "SSH_AUTH_SOCK": "",  # The agent of whoever runs the tests has nothing to do with them.
        }
        options = auto.LocalWorkspaceOptions(
            work_dir=str(folder),
            env_vars=self.environment,
            project_settings=auto.ProjectSettings("command", "python"),
        )
        self._stack = auto.create_stack("test", project_name="command", program=lambda: None, opts=options)

    def up(self, program: Program, on_shown: Callable[[str], None] = lambda line: None) -> Run:
        """Runs an update; raises `auto.CommandError` when it fails. Gives each line that is shown to `on_shown`."""
        run = Run(on_shown=on_shown)
        result = self._stack.up(program=program, on_event=run.note, on_output=run.printed.append)
        run.outputs = {name: output.value for name, output in result.outputs.items()}
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
        summary = self._stack.preview(program=program).change_summary
        counts = {auto.OpType(operation).value: count for operation, count in summary.items()}
        return {operation: count for operation, count in counts.items() if operation != "same"}

    def state(self) -> str:
        """The state file, as it lies on the disk."""
        return "".join(path.read_text("utf-8") for path in self._state.rglob("*.json"))

    def resource(self, name: str) -> dict[str, Any]:
        """What the state knows of a resource."""
        exported = self._stack.export_stack().deployment
        assert exported
        [found] = [item for item in exported["resources"] if item["urn"].endswith(f"::{name}")]
        return dict(found)


def export(**outputs: pulumi.Input[Any]) -> None:
    """Exports outputs of the program."""
    for name, value in outputs.items():
        pulumi.export(name, value)
