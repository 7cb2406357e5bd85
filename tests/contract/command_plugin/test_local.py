"""local.Command and local.run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.command_plugin.sdk import local
from tests.contract.command_plugin.stack import Stack, export

pytestmark = pytest.mark.engine


def test_the_life_of_a_command(stack: Stack, tmp_path: Path) -> None:
    log = tmp_path / "log"

    def program(word: str, trigger: int = 0) -> None:
        command = local.Command(
            "it",
            create=f"echo create $WORD | tee -a {log}",
            update=f"echo update $WORD after $PULUMI_COMMAND_STDOUT | tee -a {log}",
            delete=f"echo delete $WORD >> {log}",
            environment={"WORD": word},
            triggers=[trigger],
        )
        export(stdout=command.stdout)

    assert stack.up(lambda: program("one")).outputs == {"stdout": "create one"}
    assert stack.preview(lambda: program("one")) == {}
    assert stack.up(lambda: program("two")).operations == [("update", "it")]
    assert ("create-replacement", "it") in stack.up(lambda: program("two", 1)).operations
    stack.destroy()

    assert log.read_text().splitlines() == [
        "create one",
        "update two after create one",
        "create two",
        "delete two",
        "delete two",
    ]


def test_folder_interpreter_stdin_and_collected_files(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()

    def program() -> None:
        command = local.Command(
            "it",
            dir=str(tmp_path / "work"),
            interpreter=["python3", "-c"],
            create="import sys, pathlib\n"
            "for name in ('a.txt', 'b.txt', 'secret.txt'): pathlib.Path(name).write_text(sys.stdin.readline())",
            stdin="1\n2\n3\n",
            asset_paths=["*.txt", "!secret.*"],
            archive_paths=["b.*"],
        )
        export(
            assets=command.assets.apply(lambda found: {name: asset.path for name, asset in found.items()}),
            archive=command.archive.apply(lambda found: sorted(found.assets)),
        )

    outputs = stack.up(program).outputs

    collected = {name: Path(path).read_text() for name, path in outputs["assets"].items()}
    assert collected == {"a.txt": "1\n", "b.txt": "2\n"}
    assert outputs["archive"] == ["b.txt"]


def test_a_failure_names_the_command(stack: Stack) -> None:
    with stack.failing('exit status 4: running "echo why; exit 4"', "why"):
        stack.up(lambda: local.Command("it", create="echo why; exit 4") and None)
    with stack.failing("no such file or directory"):
        stack.up(lambda: local.Command("it", create="true", dir="/nonexistent") and None)


def test_run_runs_at_each_preview_and_update(stack: Stack, tmp_path: Path) -> None:
    log = tmp_path / "log"

    def program() -> None:
        result = local.run(command=f"echo x | tee -a {log}; cat; echo err >&2", stdin="in", logging="none")
        export(stdout=result.stdout, stderr=result.stderr)

    assert stack.preview(program) == {"create": 1}
    assert log.read_text() == "x\n"
    assert stack.up(program).outputs == {"stdout": "x\nin", "stderr": "err"}
    assert log.read_text() == "x\nx\n"


def test_run_can_wait_for_an_output(stack: Stack) -> None:
    def program() -> None:
        first = local.Command("first", create="echo from the first")
        export(stdout=local.run_output(command="cat", stdin=first.stdout).stdout)

    assert stack.up(program).outputs == {"stdout": "from the first"}
