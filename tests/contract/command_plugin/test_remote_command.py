"""remote.Command: when it runs, what it gets, and what it leaves in the state."""

from __future__ import annotations

from pathlib import Path

import pulumi
import pytest

from tests.contract.command_plugin.sdk import remote
from tests.contract.command_plugin.sshd import Sshd
from tests.contract.command_plugin.stack import Stack, export

pytestmark = pytest.mark.engine

SECRET = "4dabf18193072939515e22adb298388d"  # The key by which Pulumi's wire format marks a secret.


def test_a_command_runs_once_until_an_input_changes(stack: Stack, sshd: Sshd, tmp_path: Path) -> None:
    log = tmp_path / "log"

    def program(word: str) -> None:
        command = remote.Command(
            "it", connection=sshd.connection(), create=f"echo {word} | tee -a {log}; echo also >&2", stdin="unused"
        )
        export(stdout=command.stdout, stderr=command.stderr)

    first = stack.up(lambda: program("one"))
    assert first.outputs == {"stdout": "one", "stderr": "also"}, "outputs come without their last newline"
    before = stack.resource("it")["id"]

    assert stack.preview(lambda: program("one")) == {}, "nothing has changed"
    assert stack.preview(lambda: program("two")) == {"update": 1}
    assert log.read_text() == "one\n", "a preview runs nothing"

    again = stack.up(lambda: program("two"))
    assert again.operations == [("update", "it")], "a changed command is an update in place"
    assert again.outputs["stdout"] == "two", "without an update command, create runs again"
    assert stack.resource("it")["id"] == before
    assert log.read_text() == "one\ntwo\n"


def test_update_and_delete_have_commands_of_their_own(stack: Stack, sshd: Sshd, tmp_path: Path) -> None:
    log = tmp_path / "log"

    def program(stdin: str) -> None:
        remote.Command(
            "it",
            connection=sshd.connection(),
            create=f"echo created with $(cat) | tee -a {log}",
            update=f"echo updated with $(cat) after $PULUMI_COMMAND_STDOUT | tee -a {log}",
            delete=f"echo deleted after $PULUMI_COMMAND_STDOUT >> {log}",
            stdin=stdin,
        )

    stack.up(lambda: program("a"))
    stack.up(lambda: program("b"))
    stack.destroy()

    assert log.read_text().splitlines() == [
        "created with a",
        "updated with b after created with a",
        "deleted after updated with b after created with a",
    ]


def test_the_previous_output_stays_out_of_the_environment_on_request(stack: Stack, sshd: Sshd) -> None:
    def program(word: str) -> None:
        command = remote.Command(
            "it",
            connection=sshd.connection(),
            create=f": {word}; echo [$PULUMI_COMMAND_STDOUT]",
            add_previous_output_in_env=False,
        )
        export(stdout=command.stdout)

    stack.up(lambda: program("one"))
    assert stack.up(lambda: program("two")).outputs == {"stdout": "[]"}


def test_a_trigger_replaces_and_creates_before_it_deletes(stack: Stack, sshd: Sshd, tmp_path: Path) -> None:
    log = tmp_path / "log"

    def program(trigger: object) -> None:
        remote.Command(
            "it",
            connection=sshd.connection(),
            create=f"echo create >> {log}",
            update=f"echo update >> {log}",
            delete=f"echo delete >> {log}",
            triggers=[trigger, {"deep": [1, None]}],
        )

    stack.up(lambda: program("one"))
    assert stack.preview(lambda: program("one")) == {}
    run = stack.up(lambda: program({"any": "kind"}))

    assert [operation for operation, _ in run.operations] == ["create-replacement", "replace", "delete-replaced"]
    assert log.read_text().split() == ["create", "create", "delete"]


def test_the_environment_arrives_as_far_as_the_server_accepts_it(stack: Stack, sshd: Sshd) -> None:
    def program() -> None:
        command = remote.Command(
            "it",
            connection=sshd.connection(),
            create='echo "[$ACCEPTED_NAME] [$REFUSED_NAME]"',
            environment={"ACCEPTED_NAME": "here it is", "REFUSED_NAME": "not here"},
        )
        export(stdout=command.stdout)

    assert stack.up(program).outputs == {"stdout": "[here it is] []"}


def test_a_failing_command_is_named_with_its_output_and_leaves_no_resource(stack: Stack, sshd: Sshd) -> None:
    def program(ending: str) -> None:
        remote.Command("it", connection=sshd.connection(), create=f"echo out; echo err >&2; {ending}", logging="none")

    with stack.failing("Process exited with status 3", 'running "echo out; echo err >&2; exit 3"', "out", "err"):
        stack.up(lambda: program("exit 3"))
    assert stack.up(lambda: program("true")).operations == [("create", "it")], "the failed one was not recorded"


def test_a_failed_update_is_tried_again(stack: Stack, sshd: Sshd, tmp_path: Path) -> None:
    gate = tmp_path / "gate"

    def program(word: str) -> None:
        remote.Command("it", connection=sshd.connection(), create=f": {word}; test -e {gate}")

    gate.touch()
    stack.up(lambda: program("one"))
    gate.unlink()
    with stack.failing("Process exited with status 1"):
        stack.up(lambda: program("two"))
    gate.touch()
    assert stack.up(lambda: program("two")).operations == [("update", "it")]


def test_logging_chooses_what_is_shown(stack: Stack, sshd: Sshd) -> None:
    def program() -> None:
        for choice in (None, "stdout", "stderr", "none"):
            command = remote.Command(
                f"log-{choice}",
                connection=sshd.connection(),
                create=f"echo {choice}-out; printf {choice}-err >&2",
                logging=choice,
            )
            export(**{str(choice): pulumi.Output.concat(command.stdout, " ", command.stderr)})

    run = stack.up(program)

    shown = {line for line in run.shown if line.endswith(("-out", "-err"))}
    assert shown == {"None-out", "None-err", "stdout-out", "stderr-err"}, "both outputs are shown by default"
    assert run.outputs["none"] == "none-out none-err", "the outputs are captured in any case"


def test_the_connection_is_secret_in_the_state(stack: Stack, sshd: Sshd) -> None:
    stack.up(lambda: remote.Command("it", connection=sshd.connection(), create="true") and None)

    recorded, state = stack.resource("it"), stack.state()
    for where in ("inputs", "outputs"):
        assert SECRET in recorded[where]["connection"], f"{where} show how to log in"
    assert "ciphertext" in state
    assert sshd.keys.private("user").splitlines()[1] not in state


def test_unknown_inputs_wait_for_the_update(stack: Stack, sshd: Sshd) -> None:
    def program() -> None:
        first = remote.Command("first", connection=sshd.connection(), create="echo from the first")
        second = remote.Command("second", connection=sshd.connection(), create="cat", stdin=first.stdout)
        export(stdout=second.stdout, unknown=pulumi.Output.concat(second.stdout, "!"))

    assert stack.preview(program) == {"create": 3}
    assert stack.up(program).outputs["unknown"] == "from the first!"
